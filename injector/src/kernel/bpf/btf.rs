//! The running kernel's own type information: which functions can be hooked, and where the fields are
//! that the programs read.
//!
//! A reader of the few record kinds that matter. aya-obj parses BTF too, but looks names up one at a
//! time through all of some 100,000 types and keeps members of structures to itself; here one pass over
//! the bytes answers everything.
//! The format: Documentation/bpf/btf.rst in the kernel's source.

use std::{ffi::CStr, fs, io, path::Path};

/// Record kinds, by their number in bits 24 to 28 of `info`.
mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const FUNC: u32 = 12;
    pub(super) const FUNC_PROTO: u32 = 13;
    pub(super) const VAR: u32 = 14;
    pub(super) const DATASEC: u32 = 15;
    pub(super) const DECL_TAG: u32 = 17;
    pub(super) const ENUM64: u32 = 19;
    pub(super) const TYPEDEF: u32 = 8;
}

/// Where the kernel offers it.
pub(crate) const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Type information that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// Not there, or not readable.
    #[error("cannot read the kernel's type information {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Not what the format says.
    #[error("the kernel's type information is damaged at byte {0}")]
    Damaged(usize),
    /// A field that no kernel known to us lacks.
    #[error("the kernel's type information has no field {field} in struct {structure}")]
    NoField {
        /// The structure.
        structure: String,
        /// The field.
        field: String,
    },
}

/// The kernel's types: functions by name, and the records of structures.
pub struct KernelBtf {
    records: Records,
    functions: Index,
    structures: Index,
    typedefs: Index,
}

/// The bytes, and where in them each record and the strings are.
struct Records {
    bytes: Vec<u8>,
    strings: usize,
    /// Byte offset of each type's record; id 0 is void.
    starts: Vec<usize>,
}

/// Ids of one kind by their names, in the order of the records. A start looks for some dozens of 60,000 names: to fill
/// a hash table took a tenth of its time, to look through all the hashes takes a thousandth.
#[derive(Default)]
struct Index {
    hashes: Vec<u32>,
    ids: Vec<u32>,
}

impl KernelBtf {
    /// Reads the running kernel's.
    ///
    /// # Errors
    /// The kernel has no BTF (`/sys/kernel/btf/vmlinux`), or it cannot be read.
    pub fn running() -> Result<Self, BtfError> {
        Self::read(Path::new(VMLINUX))
    }

    /// Reads a file in the raw format (no ELF).
    ///
    /// # Errors
    /// The file cannot be read, or is no BTF of a version that is known here.
    pub fn read(path: &Path) -> Result<Self, BtfError> {
        let bytes =
            fs::read(path).map_err(|source| BtfError::Read { path: path.display().to_string(), source })?;
        Self::parse(bytes)
    }

    /// Indexes raw type information, little endian.
    ///
    /// # Errors
    /// The bytes are no BTF, or its header and its types contradict each other.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, BtfError> {
        let header = word(&bytes, 4)? as usize;
        let types = header + word(&bytes, 8)? as usize;
        let end = types + word(&bytes, 12)? as usize;
        let strings = header + word(&bytes, 16)? as usize;
        let mut records = Records { bytes, strings, starts: vec![0] };
        let [mut functions, mut structures, mut typedefs] = <[Index; 3]>::default();
        let mut at = types;
        while at < end {
            let id = u32::try_from(records.starts.len()).map_err(|_| BtfError::Damaged(at))?;
            let info = records.word(at + 4)?;
            let (kind, length) = ((info >> 24) & 0x1f, (info & 0xffff) as usize);
            records.starts.push(at);
            match kind {
                kind::FUNC => functions.insert(id, &records)?,
                kind::STRUCT => structures.insert(id, &records)?,
                kind::TYPEDEF => typedefs.insert(id, &records)?,
                _ => {}
            }
            at += 12 + trailing(kind, length);
        }
        Ok(Self { records, functions, structures, typedefs })
    }

    /// The id of a function, `None` when the kernel has none of that name or it cannot be traced.
    pub fn function(&self, name: &str) -> Option<u32> {
        self.functions.find(name, &self.records)
    }

    /// The id of the prototype `btf_trace_<name>` of a tracepoint, which a `tp_btf` program attaches to.
    pub fn tracepoint(&self, name: &str) -> Option<u32> {
        self.typedefs.find(&format!("btf_trace_{name}"), &self.records)
    }

    /// The size of a structure, bytes.
    ///
    /// # Errors
    /// This kernel has no such structure.
    pub fn size(&self, structure: &str) -> Result<u32, BtfError> {
        let missing = || BtfError::NoField { structure: structure.into(), field: "(any)".into() };
        let id = self.structures.find(structure, &self.records).ok_or_else(missing)?;
        self.records.word(self.records.starts[id as usize] + 8)
    }

    /// The offset of a field, bytes, also of one in an unnamed structure or union inside.
    ///
    /// # Errors
    /// This kernel has no such structure, or it has no such field.
    pub fn offset(&self, structure: &str, field: &str) -> Result<u32, BtfError> {
        let missing = || BtfError::NoField { structure: structure.into(), field: field.into() };
        let id = self.structures.find(structure, &self.records).ok_or_else(missing)?;
        self.records.find(id, field)?.ok_or_else(missing)
    }

    /// The first of several spellings of a field, for one that was renamed between versions.
    ///
    /// # Errors
    /// This kernel has no such structure, or none of these fields is in it.
    pub fn offset_of_any(&self, structure: &str, fields: &[&str]) -> Result<u32, BtfError> {
        let mut last = None;
        for field in fields {
            match self.offset(structure, field) {
                Ok(offset) => return Ok(offset),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(BtfError::Damaged(0)))
    }
}

impl Records {
    /// The offset of a field of the structure or union with this id.
    fn find(&self, id: u32, field: &str) -> Result<Option<u32>, BtfError> {
        let Some(&at) = self.starts.get(id as usize) else { return Ok(None) };
        let info = self.word(at + 4)?;
        if !matches!((info >> 24) & 0x1f, kind::STRUCT | kind::UNION) {
            return Ok(None);
        }
        // With this bit the upper byte of a member's offset is the size of a bit field.
        let bitfields = info >> 31 == 1;
        for index in 0..(info & 0xffff) as usize {
            let member = at + 12 + index * 12;
            let bits = self.word(member + 8)?;
            let offset = if bitfields { bits & 0x00ff_ffff } else { bits } / 8;
            let name = self.name(member)?;
            if name == field.as_bytes() {
                return Ok(Some(offset));
            }
            if name.is_empty()
                && let Some(inner) = self.find(self.word(member + 4)?, field)?
            {
                return Ok(Some(offset + inner));
            }
        }
        Ok(None)
    }

    /// The name whose place among the strings stands at `at`: the first word of a record or a member.
    fn name(&self, at: usize) -> Result<&[u8], BtfError> {
        let start = self.strings + self.word(at)? as usize;
        let rest = self.bytes.get(start..).ok_or(BtfError::Damaged(start))?;
        CStr::from_bytes_until_nul(rest).map(CStr::to_bytes).map_err(|_| BtfError::Damaged(start))
    }

    /// The hash of that name, without a search for its end first.
    fn hash(&self, at: usize) -> Result<u32, BtfError> {
        let start = self.strings + self.word(at)? as usize;
        let rest = self.bytes.get(start..).ok_or(BtfError::Damaged(start))?;
        Ok(hash(rest.iter().copied().take_while(|&byte| byte != 0)))
    }

    /// The name of the record with this id; empty if it has none.
    fn name_of(&self, id: u32) -> &[u8] {
        self.starts.get(id as usize).and_then(|&at| self.name(at).ok()).unwrap_or_default()
    }

    fn word(&self, at: usize) -> Result<u32, BtfError> {
        word(&self.bytes, at)
    }
}

impl Index {
    fn insert(&mut self, id: u32, records: &Records) -> Result<(), BtfError> {
        self.hashes.push(records.hash(records.starts[id as usize])?);
        self.ids.push(id);
        Ok(())
    }

    /// The first record of a name, as in the kernel's own search (kernel/bpf/btf.c, `btf_find_by_name_kind`).
    fn find(&self, name: &str, records: &Records) -> Option<u32> {
        let (name, wanted) = (name.as_bytes(), hash(name.bytes()));
        let alike = self.hashes.iter().zip(&self.ids).filter(|(hash, _)| **hash == wanted);
        alike.map(|(_, &id)| id).find(|&id| records.name_of(id) == name)
    }
}

/// FNV-1a, of 32 bits.
fn hash(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Bytes behind the common 12 of a record.
fn trailing(kind: u32, length: usize) -> usize {
    match kind {
        kind::INT | kind::VAR | kind::DECL_TAG => 4,
        kind::ARRAY => 12,
        kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * length,
        kind::ENUM | kind::FUNC_PROTO => 8 * length,
        _ => 0,
    }
}

fn word(bytes: &[u8], at: usize) -> Result<u32, BtfError> {
    bytes
        .get(at..at + 4)
        .and_then(|four| four.try_into().ok())
        .map(u32::from_le_bytes)
        .ok_or(BtfError::Damaged(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strings by their offsets, records as words.
    struct Blob {
        strings: Vec<u8>,
        words: Vec<u32>,
    }

    impl Blob {
        fn name(&mut self, text: &str) -> u32 {
            let at = u32::try_from(self.strings.len()).unwrap();
            self.strings.extend_from_slice(text.as_bytes());
            self.strings.push(0);
            at
        }

        fn bytes(self) -> Vec<u8> {
            let types = u32::try_from(self.words.len() * 4).unwrap();
            let strings = u32::try_from(self.strings.len()).unwrap();
            let header = [0x0001_eb9f, 24, 0, types, types, strings];
            let words = header.into_iter().chain(self.words).flat_map(u32::to_le_bytes);
            words.chain(self.strings).collect()
        }
    }

    /// struct outer { int a; union { int b; }; } and long f(int), typedef btf_trace_t.
    fn sample() -> Vec<u8> {
        let mut blob = Blob { strings: vec![0], words: Vec::new() };
        let [int, outer, a, b, f, t] = ["int", "outer", "a", "b", "f", "btf_trace_t"].map(|n| blob.name(n));
        #[rustfmt::skip]
        blob.words.extend([
            int,   kind::INT << 24,            4, 32,          // 1
            0,     kind::UNION << 24 | 1,      4, b, 1, 0,     // 2
            outer, kind::STRUCT << 24 | 2,     8, a, 1, 0, 0, 2, 32, // 3
            0,     kind::FUNC_PROTO << 24 | 1, 1, 0, 1,        // 4
            f,     kind::FUNC << 24,           4,              // 5
            t,     kind::TYPEDEF << 24,        1,              // 6
        ]);
        blob.bytes()
    }

    #[test]
    fn functions_tracepoints_and_fields_are_found() {
        let btf = KernelBtf::parse(sample()).unwrap();
        assert_eq!(btf.function("f"), Some(5));
        assert_eq!(btf.function("g"), None);
        assert_eq!(btf.tracepoint("t"), Some(6));
        assert_eq!(btf.offset("outer", "a").unwrap(), 0);
        assert_eq!(btf.offset("outer", "b").unwrap(), 4);
        assert_eq!(btf.size("outer").unwrap(), 8);
        assert_eq!(btf.offset_of_any("outer", &["gone", "b"]).unwrap(), 4);
        assert!(matches!(btf.offset("outer", "c"), Err(BtfError::NoField { .. })));
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let whole = sample();
        for length in 0..whole.len() {
            // Some cuts leave a readable rest; none may panic.
            let _ = KernelBtf::parse(whole[..length].to_vec());
        }
        assert!(matches!(KernelBtf::parse(Vec::new()), Err(BtfError::Damaged(_))));
    }
}
