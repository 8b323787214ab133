//! The BPF object: parsed, fitted to one plan, its maps made, its programs ready to be loaded.
//!
//! aya-obj parses and relocates. Loading is ours, since one program here is loaded many times, each time
//! for another kernel function, and as `fmod_ret`, a kind that aya does not have.

use std::{
    collections::{HashMap, HashSet},
    ffi::CString,
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use aya_obj::{
    Object,
    btf::{BtfFeatures, BtfKind},
    generated::{bpf_insn, bpf_map_type},
};
use injector_common::{
    RULE_NUMBERS,
    config::{Config, FIELD_MARK, Offsets, USES_OBJECTS},
    delay::MAX_TABLES,
    thread::state_size,
};

use crate::kernel::bpf::{
    btf::KernelBtf,
    kind::Kind,
    messages::{self, Messages},
    sys,
};

static BYTES: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/injector.bpf.o"));

/// Why there are none in it; empty where there are.
const NO_PROGRAMS: &str = env!("INJECTOR_NO_PROGRAMS");

/// Why the object could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// This binary has no BPF programs in it.
    #[error("cannot load BPF programs: this injector has none in it, since {NO_PROGRAMS}")]
    Empty,
    /// The embedded object is not what this program expects.
    #[error("the embedded BPF object does not fit this program: {0}")]
    Damaged(String),
    /// The kernel refused type information.
    #[error("the kernel refused the type information of the BPF programs: {source}{}", summary(.log))]
    Types {
        /// Why.
        source: io::Error,
        /// What the kernel said; may be empty.
        log: String,
    },
    /// The kernel refused a map.
    #[error("the kernel refused the map {name} ({bytes} bytes): {source}")]
    Map {
        /// The map.
        name: String,
        /// Its size.
        bytes: u64,
        /// Why.
        source: io::Error,
    },
    /// The kernel refused a program.
    #[error("the kernel refused the program {name}: {source}{}", summary(.log))]
    Program {
        /// The program and what it was for.
        name: String,
        /// Why.
        source: io::Error,
        /// What the verifier said; may be empty.
        log: String,
    },
}

impl ObjectError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty => {
                "build it with `cargo xtask build`, or `cargo xtask package` for a crate that has them"
            }
            Self::Damaged(_) => "build it anew with `cargo xtask build`",
            Self::Types { source, .. } | Self::Map { source, .. } | Self::Program { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                "run as root, or with the capabilities that `injector doctor` names"
            }
            Self::Types { .. } | Self::Map { .. } | Self::Program { .. } => {
                "`injector doctor` says what this kernel allows; RUST_LOG=debug shows the verifier's whole log"
            }
        }
    }

    /// The error of the system call behind it.
    pub fn source_error(&self) -> Option<&io::Error> {
        match self {
            // The verifier's EACCES is no right that is missing.
            Self::Program { source, log, .. }
                if source.raw_os_error() == Some(libc::EACCES) && !log.is_empty() =>
            {
                None
            }
            Self::Types { source, .. } | Self::Map { source, .. } | Self::Program { source, .. } => {
                Some(source)
            }
            Self::Empty | Self::Damaged(_) => None,
        }
    }
}

fn refused_types((source, log): (io::Error, String)) -> ObjectError {
    tracing::debug!(%log, "the kernel refused type information");
    ObjectError::Types { source, log }
}

/// The line of the verifier's log that says what is wrong: the last one that is not its statistics.
fn summary(log: &str) -> String {
    let line = log.lines().rev().find(|line| !line.is_empty() && !line.starts_with("processed "));
    line.map(|line| format!(" (verifier: {line})")).unwrap_or_default()
}

/// The sizes that depend on the plan.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Cells in each thread's state: rules of calls, all calls together, and room for changes. The slot table
    /// has twice as many slots.
    pub slots: u32,
    /// Flows of packets that are known at a time, at least 1.
    pub flows: u32,
    /// Bytes of the ring buffer, a power of two and a multiple of the page size.
    pub events: u32,
    /// Patterns of paths, and sets of ports.
    pub objects: u32,
    /// May packets wait?
    pub queues: bool,
    /// Are delays drawn?
    pub distributions: bool,
}

/// The maps of a plan, by their names in the object.
#[derive(Debug)]
pub struct Maps(HashMap<String, OwnedFd>);

impl Maps {
    /// A map that is known to be in the object.
    ///
    /// # Errors
    /// [`ObjectError`] if the object has no such map.
    pub fn get(&self, name: &str) -> Result<BorrowedFd<'_>, ObjectError> {
        self.0
            .get(name)
            .map(AsFd::as_fd)
            .ok_or_else(|| ObjectError::Damaged(format!("it has no map named {name}")))
    }
}

/// Instructions of one program, ready for the kernel.
#[derive(Debug)]
struct Code {
    instructions: Vec<bpf_insn>,
    functions: (Vec<u8>, u32, u32),
    lines: (Vec<u8>, u32, u32),
}

/// The programs as the object has them, and those that were linked with the functions that they call.
///
/// A plan loads a few of some sixty: to link them all took a third of what a start takes in user space.
#[derive(Debug)]
struct Programs {
    object: Object,
    /// The sections with those functions.
    text: HashSet<usize>,
    linked: HashMap<String, Arc<Code>>,
}

/// What the programs leave open until the running kernel is known.
#[derive(Debug)]
struct KernelLayout {
    offsets: Offsets,
    /// Functions of the kernel: the number that stands for each, and its BTF id.
    functions: Vec<(i32, i32)>,
}

/// The object of one plan: its maps exist, its programs can be loaded.
#[derive(Debug)]
pub struct LoadedObject {
    maps: Maps,
    programs: Mutex<Programs>,
    layout: KernelLayout,
    /// As in [`Config::features`].
    features: u32,
    btf: OwnedFd,
    license: CString,
}

fn damaged(error: impl std::fmt::Display) -> ObjectError {
    ObjectError::Damaged(error.to_string())
}

impl Programs {
    fn linked(&mut self, name: &str, layout: &KernelLayout) -> Result<Arc<Code>, ObjectError> {
        if let Some(code) = self.linked.get(name) {
            return Ok(Arc::clone(code));
        }
        let missing = || ObjectError::Damaged(format!("it has no program named {name}"));
        let program = self.object.programs.get(name).ok_or_else(missing)?.clone();
        let key = program.function_key();
        // It links all programs that it sees.
        let all = mem::replace(&mut self.object.programs, [(name.to_owned(), program)].into());
        let linked = self.object.relocate_calls(&self.text);
        self.object.programs = all;
        linked.map_err(damaged)?;
        let function = self.object.functions.get(&key).ok_or_else(missing)?;
        let mut instructions = function.instructions.clone();
        place_fields(&mut instructions, &layout.offsets);
        place_functions(&mut instructions, &layout.functions);
        let functions = (
            function.func_info.func_info_bytes(),
            count(function.func_info.len()),
            count(function.func_info_rec_size),
        );
        let lines = (
            function.line_info.line_info_bytes(),
            count(function.line_info.len()),
            count(function.line_info_rec_size),
        );
        let code = Arc::new(Code { instructions, functions, lines });
        self.linked.insert(name.to_owned(), Arc::clone(&code));
        Ok(code)
    }
}

impl LoadedObject {
    /// Parses the embedded object, writes `config` into it, and makes its maps.
    ///
    /// # Errors
    /// See [`ObjectError`]; nothing is left behind.
    pub fn prepare(config: &Config, sizes: Sizes, kernel: &KernelBtf) -> Result<Self, ObjectError> {
        if BYTES.is_empty() {
            return Err(ObjectError::Empty);
        }
        let mut object = Object::parse(BYTES).map_err(damaged)?;
        let level = messages::level();
        let globals = HashMap::from([
            ("CONFIG", (bytemuck::bytes_of(config), true)),
            (messages::LEVEL, (bytemuck::bytes_of(&level), false)),
        ]);
        object.patch_map_data(globals).map_err(damaged)?;
        // Everything that a kernel of 5.19 or later knows; older ones fail later and with a reason.
        let features = BtfFeatures::new(true, true, true, true, true, true, true, true);
        let types = object.fixup_and_sanitize_btf(&features).map_err(damaged)?;
        let types = types.ok_or_else(|| ObjectError::Damaged("it has no type information".into()))?;
        let btf = sys::load_btf(&types.to_bytes()).map_err(refused_types)?;

        let mut maps = HashMap::new();
        for (name, map) in &object.maps {
            maps.insert(name.clone(), make_map(name, map, sizes)?);
        }
        let text = object.functions.keys().map(|&(section, _)| section).collect();
        let fds = object.maps.clone();
        let fds = fds.iter().map(|(name, map)| (name.as_str(), maps[name].as_raw_fd(), map));
        object.relocate_maps(fds, &text).map_err(damaged)?;

        let functions = injector_common::kfunc::ALL.iter();
        let functions =
            functions.filter_map(|&(number, name)| Some((number, kernel.function(name)?.try_into().ok()?)));
        Ok(Self {
            maps: Maps(maps),
            layout: KernelLayout { offsets: config.offsets, functions: functions.collect() },
            features: config.features,
            btf,
            license: object.license.clone(),
            programs: Mutex::new(Programs { object, text, linked: HashMap::new() }),
        })
    }

    /// The plan's maps.
    pub fn maps(&self) -> &Maps {
        &self.maps
    }

    /// What the programs tell of their decisions; none from an ordinary object.
    pub(crate) fn messages(&self) -> io::Result<Option<Messages>> {
        self.maps.0.get(messages::MAP).map(|map| Messages::through(map.as_fd())).transpose()
    }

    /// Do the programs know files and sockets?
    pub fn knows_objects(&self) -> bool {
        self.features & USES_OBJECTS != 0
    }

    /// Puts `program` into a place of the program array `map`, to be jumped to.
    ///
    /// # Errors
    /// The object has no such map, or the kernel refuses the program there.
    pub fn put_behind(&self, map: &str, place: u32, program: &OwnedFd) -> Result<(), ObjectError> {
        let value = program.as_raw_fd().to_ne_bytes();
        sys::update(self.maps.get(map)?, &place.to_ne_bytes(), &value).map_err(|source| ObjectError::Map {
            name: map.into(),
            bytes: 8,
            source,
        })
    }

    /// Loads the program `name`; `what` names the function it is for.
    ///
    /// # Errors
    /// [`ObjectError::Program`], with the verifier's words.
    pub fn load(&self, name: &str, what: &str, kind: Kind) -> Result<OwnedFd, ObjectError> {
        let code = self.programs.lock().unwrap_or_else(PoisonError::into_inner).linked(name, &self.layout)?;
        let (program, attach_type, attach_btf_id) = kind.numbers();
        let program = sys::Program {
            name: &format!("injector_{what}"),
            kind: program,
            attach_type,
            attach_btf_id,
            sleeps: kind.sleeps(),
            instructions: &code.instructions,
            license: &self.license,
            btf: Some(sys::Debug {
                btf: self.btf.as_fd(),
                functions: (&code.functions.0, code.functions.1, code.functions.2),
                lines: (&code.lines.0, code.lines.1, code.lines.2),
            }),
        };
        sys::load_program(&program).map_err(|(source, log)| {
            tracing::debug!(program = name, on = what, %log, "the verifier refused");
            ObjectError::Program { name: format!("{name} for {what}"), source, log }
        })
    }
}

/// Writes into the loads that are marked for it where this kernel has their field.
fn place_fields(instructions: &mut [bpf_insn], offsets: &Offsets) {
    /// Instruction class and mode of a load, without its size (include/uapi/linux/bpf_common.h).
    const LOAD: (u8, u8) = (0xe7, 0x61);
    let offsets: &[u32] = bytemuck::cast_slice(std::slice::from_ref(offsets));
    for instruction in instructions.iter_mut().filter(|instruction| instruction.code & LOAD.0 == LOAD.1) {
        let field = usize::try_from(i32::from(instruction.off) - i32::from(FIELD_MARK)).ok();
        let offset =
            field.and_then(|field| offsets.get(field)).and_then(|&offset| i16::try_from(offset).ok());
        instruction.off = offset.unwrap_or(instruction.off);
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Has calls of kernel functions call those of this kernel. A program with one that it has not got is refused
/// by the verifier; there is a probe for those that need any.
fn place_functions(instructions: &mut [bpf_insn], functions: &[(i32, i32)]) {
    const CALL: u8 = 0x85;
    /// `BPF_PSEUDO_KFUNC_CALL` (include/uapi/linux/bpf.h).
    const OF_THE_KERNEL: u8 = 2;
    for instruction in instructions.iter_mut().filter(|instruction| instruction.code == CALL) {
        let known = functions.iter().find(|(number, _)| *number == instruction.imm);
        if let Some(&(_, id)) = known
            && instruction.src_reg() == 0
        {
            instruction.set_src_reg(OF_THE_KERNEL);
            instruction.imm = id;
        }
    }
}

/// Makes one map of the object, with the sizes of this plan.
fn make_map(name: &str, map: &aya_obj::Map, sizes: Sizes) -> Result<OwnedFd, ObjectError> {
    let visible = format!("injector_{}", name.trim_start_matches('.').to_lowercase());
    let mut shape = sys::MapShape {
        name: &visible,
        kind: map.map_type(),
        key_size: map.key_size(),
        value_size: map.value_size(),
        max_entries: map.max_entries(),
        flags: map.map_flags(),
        ..sys::MapShape::default()
    };
    let types;
    match name {
        messages::MAP => (shape.name, shape.max_entries) = (name, messages::SIZE),
        ".bss.shared" | "CALLS" | "SLEEP_SLOTS" => shape.flags |= sys::BPF_F_MMAPABLE,
        "SLOTS" => {
            shape.flags |= sys::BPF_F_MMAPABLE;
            shape.max_entries = 2 * sizes.slots;
        }
        "GLOBS" | "PORTS" => shape.max_entries = sizes.objects,
        "QUEUES" if sizes.queues => shape.max_entries = count(RULE_NUMBERS),
        "DISTRIBUTIONS" if sizes.distributions => shape.max_entries = count(MAX_TABLES),
        "FLOWS" | "ORDER" => shape.max_entries = sizes.flows,
        "EVENTS" => shape.max_entries = sizes.events,
        "OBJECTS" | "SOCKETS" => {
            types = state_types(shape.value_size).map_err(refused_types)?;
            shape.types = Some((types.as_fd(), 1, 3));
        }
        "THREADS" => {
            shape.value_size = state_size(sizes.slots);
            types = state_types(shape.value_size).map_err(refused_types)?;
            shape.types = Some((types.as_fd(), 1, 3));
        }
        _ => {}
    }
    let refused = |source| ObjectError::Map {
        name: name.into(),
        bytes: u64::from(shape.max_entries.max(1)) * u64::from(shape.key_size + shape.value_size),
        source,
    };
    let fd = sys::create_map(&shape).map_err(refused)?;
    if !map.data().is_empty() {
        sys::update(fd.as_fd(), &0u32.to_ne_bytes(), map.data()).map_err(refused)?;
    }
    if name.starts_with(".rodata") {
        sys::freeze(fd.as_fd()).map_err(refused)?;
    }
    debug_assert!(shape.kind != bpf_map_type::BPF_MAP_TYPE_UNSPEC as u32);
    Ok(fd)
}

/// Storage of tasks and sockets insists on knowing the types of its key and value (kernel/bpf/bpf_local_storage.c,
/// `bpf_local_storage_map_alloc_check`): id 1 a 32-bit number, id 3 an array of `bytes` bytes.
fn state_types(bytes: u32) -> Result<OwnedFd, (io::Error, String)> {
    const INT: u32 = BtfKind::Int as u32;
    const ARRAY: u32 = BtfKind::Array as u32;
    const STRINGS: &[u8] = b"\0int\0byte\0";
    const INT_NAME: u32 = 1;
    const BYTE_NAME: u32 = 5;
    const SIGNED: u32 = 1 << 24;
    const HEADER: u32 = 24;
    #[rustfmt::skip]
    let records = [
        INT_NAME,  INT << 24,   4, SIGNED | 32,
        BYTE_NAME, INT << 24,   1, 8,
        0,         ARRAY << 24, 0, 2, 1, bytes,
    ];
    let types = u32::try_from(records.len() * 4).unwrap_or(0);
    let strings = u32::try_from(STRINGS.len()).unwrap_or(0);
    let magic_version_flags = 0x0001_eb9f;
    let header = [magic_version_flags, HEADER, 0, types, types, strings];
    let words = header.iter().chain(&records).flat_map(|word| word.to_ne_bytes());
    let blob: Vec<u8> = words.chain(STRINGS.iter().copied()).collect();
    sys::load_btf(&blob)
}
