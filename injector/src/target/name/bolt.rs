//! Reading a bolt database, in which Podman (until 4.x) and containerd keep what they know of containers: pages of a B+
//! tree of buckets (go.etcd.io/bbolt, `page.go`, `bucket.go`, `db.go`). It is read without its lock, which the owner holds
//! as long as it runs. Pages are copied on write, so that the newest root that is whole leads to old or new pages,
//! and whatever does not fit is taken for the end.

const HEAD: usize = 16;
const ELEMENT: usize = 16;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const IS_BUCKET: u32 = 1;
const MAGIC: u32 = 0xED0C_DAED;
/// What a bucket's value begins with: the page of its root, 0 for one that follows, and a sequence number.
const BUCKET_HEAD: usize = 16;
/// More levels than a tree of this form has: a page that leads to itself is left.
const DEPTH: usize = 24;

/// A database.
#[derive(Debug)]
pub(super) struct Bolt {
    bytes: Vec<u8>,
    page_size: usize,
    root: u64,
}

/// A bucket of it: a page, or what stands in its parent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bucket<'a> {
    Paged(&'a Bolt, u64),
    Inline(&'a Bolt, &'a [u8]),
}

/// A key with its value, or with the bucket that it names.
type Entry<'a> = (&'a [u8], bool, &'a [u8]);

impl Bolt {
    /// `None` for what is no such database.
    pub(super) fn open(bytes: Vec<u8>) -> Option<Self> {
        let first = meta(&bytes, 0);
        // The second one's place depends on the size of a page, which only a meta page tells.
        let mut sizes = first.map(|(_, size, _)| size).into_iter().chain([4096, 16384, 65536]);
        let second = sizes.find_map(|size| meta(&bytes, size).filter(|&(_, own, _)| own == size));
        let (_, page_size, root) = first.into_iter().chain(second).max_by_key(|&(txid, ..)| txid)?;
        Some(Self { bytes, page_size, root })
    }

    pub(super) fn root(&self) -> Bucket<'_> {
        Bucket::Paged(self, self.root)
    }

    fn page(&self, number: u64) -> Option<&[u8]> {
        let start = usize::try_from(number).ok()?.checked_mul(self.page_size)?;
        let overflow = u32_at(self.bytes.get(start..)?, 12)? as usize;
        let end = start.checked_add(self.page_size.checked_mul(overflow.checked_add(1)?)?)?;
        self.bytes.get(start..end.min(self.bytes.len()))
    }

    fn collect<'a>(&'a self, page: &'a [u8], depth: usize, into: &mut Vec<Entry<'a>>) -> Option<()> {
        if depth == 0 {
            return None;
        }
        let (kind, count) = (u16_at(page, 8)?, u16_at(page, 10)?);
        for number in 0..usize::from(count) {
            let element = page.get(HEAD + number * ELEMENT..)?;
            if kind & BRANCH != 0 {
                self.collect(self.page(u64_at(element, 8)?)?, depth - 1, into);
            } else if kind & LEAF != 0 {
                let [place, key, value] = [4, 8, 12].map(|at| u32_at(element, at).map(|n| n as usize));
                let (place, key, value) = (place?, key?, value?);
                let middle = place.checked_add(key)?;
                let value = element.get(middle..middle.checked_add(value)?)?;
                into.push((element.get(place..middle)?, u32_at(element, 0)? & IS_BUCKET != 0, value));
            }
        }
        Some(())
    }
}

impl<'a> Bucket<'a> {
    fn entries(self) -> Vec<Entry<'a>> {
        let mut found = Vec::new();
        match self {
            Self::Paged(bolt, page) => bolt.page(page).and_then(|page| bolt.collect(page, DEPTH, &mut found)),
            Self::Inline(bolt, page) => bolt.collect(page, DEPTH, &mut found),
        };
        found
    }

    fn bolt(self) -> &'a Bolt {
        match self {
            Self::Paged(bolt, _) | Self::Inline(bolt, _) => bolt,
        }
    }

    /// All buckets in it, with their names.
    pub(super) fn buckets(self) -> Vec<(&'a [u8], Self)> {
        let open = |value: &'a [u8]| match u64_at(value, 0)? {
            0 => Some(Self::Inline(self.bolt(), value.get(BUCKET_HEAD..)?)),
            page => Some(Self::Paged(self.bolt(), page)),
        };
        let buckets = self.entries().into_iter().filter(|&(_, bucket, _)| bucket);
        buckets.filter_map(|(key, _, value)| Some((key, open(value)?))).collect()
    }

    /// The bucket of that name.
    pub(super) fn bucket(self, name: &str) -> Option<Self> {
        self.buckets().into_iter().find(|&(key, _)| key == name.as_bytes()).map(|(_, bucket)| bucket)
    }

    /// All values in it, with their keys.
    pub(super) fn values(self) -> Vec<(&'a [u8], &'a [u8])> {
        let values = self.entries().into_iter().filter(|&(_, bucket, _)| !bucket);
        values.map(|(key, _, value)| (key, value)).collect()
    }

    /// The value of that key.
    pub(super) fn value(self, name: &str) -> Option<&'a [u8]> {
        self.values().into_iter().find(|&(key, _)| key == name.as_bytes()).map(|(_, value)| value)
    }
}

/// Transaction, size of a page and root of the meta page at `start`, if it is whole.
fn meta(bytes: &[u8], start: usize) -> Option<(u64, usize, u64)> {
    let meta = bytes.get(start.checked_add(HEAD)?..)?;
    let sum = u64_at(meta, 56)?;
    let whole = u32_at(meta, 0)? == MAGIC && fnv(meta.get(..56)?) == sum;
    let size = u32_at(meta, 8)? as usize;
    (whole && size.is_power_of_two()).then_some((u64_at(meta, 48)?, size, u64_at(meta, 16)?))
}

/// FNV-1a of 64 bits, as Go's hash/fnv has it.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod fixture {
    //! Databases of one level, as bbolt writes small ones: every bucket but the root stands in its parent.

    use super::*;

    /// What a bucket has.
    pub(in crate::target::name) enum Node {
        Value(Vec<u8>),
        Bucket(Vec<(&'static str, Node)>),
    }

    pub(in crate::target::name) fn value(text: &str) -> Node {
        Node::Value(text.as_bytes().to_vec())
    }

    fn page(entries: &[(&str, Node)], number: u64) -> Vec<u8> {
        let mut bytes = number.to_le_bytes().to_vec();
        bytes.extend(LEAF.to_le_bytes());
        bytes.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
        bytes.extend([0; 4]);
        let mut data = Vec::new();
        for (number, (key, node)) in entries.iter().enumerate() {
            let (flag, content) = match node {
                Node::Value(value) => (0, value.clone()),
                Node::Bucket(inner) => (IS_BUCKET, [vec![0; BUCKET_HEAD], page(inner, 0)].concat()),
            };
            let place = (entries.len() - number) * ELEMENT + data.len();
            for word in [flag as usize, place, key.len(), content.len()] {
                bytes.extend(u32::try_from(word).unwrap().to_le_bytes());
            }
            data.extend(key.as_bytes());
            data.extend(content);
        }
        bytes.extend(data);
        bytes
    }

    fn meta(transaction: u64, root: u64) -> Vec<u8> {
        let mut meta = Vec::new();
        meta.extend([MAGIC, 2, 4096, 0].map(u32::to_le_bytes).concat());
        meta.extend([root, 0, 2, 5, transaction].map(u64::to_le_bytes).concat());
        let sum = fnv(&meta);
        meta.extend(sum.to_le_bytes());
        [vec![0; HEAD], meta].concat()
    }

    /// A database with these in its root bucket; the older of its two meta pages leads nowhere.
    pub(in crate::target::name) fn database(entries: &[(&'static str, Node)]) -> Vec<u8> {
        let root = page(entries, 3);
        let overflow = (root.len() - 1) / 4096;
        let mut bytes = Vec::new();
        for (number, part) in [meta(8, 9), meta(9, 3), Vec::new(), root].into_iter().enumerate() {
            bytes.resize(number * 4096, 0);
            bytes.extend(part);
        }
        bytes.resize((4 + overflow) * 4096, 0);
        bytes[3 * 4096 + 12..3 * 4096 + 16].copy_from_slice(&u32::try_from(overflow).unwrap().to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::{
        fixture::{Node, database, value},
        *,
    };

    #[test]
    fn buckets_in_buckets() {
        let long = "x".repeat(9000);
        let inner = Node::Bucket(vec![("a", value("1")), ("b", Node::Bucket(vec![("c", value(&long))]))]);
        let bolt = Bolt::open(database(&[("one", inner), ("two", value("2"))])).unwrap();
        let one = bolt.root().bucket("one").unwrap();
        assert_eq!(bolt.root().value("two"), Some(&b"2"[..]));
        assert_eq!(one.value("a"), Some(&b"1"[..]));
        assert_eq!(one.bucket("b").unwrap().value("c"), Some(long.as_bytes()));
        assert_eq!(one.values().len(), 1);
        assert!(one.bucket("a").is_none() && bolt.root().bucket("two").is_none());
    }

    #[test]
    fn whatever_the_bytes_are() {
        let whole = database(&[("one", Node::Bucket(vec![("a", value("1"))])), ("two", value("2"))]);
        for length in (0..whole.len()).step_by(97) {
            if let Some(bolt) = Bolt::open(whole[..length].to_vec()) {
                bolt.root().buckets();
            }
        }
        for at in 3 * 4096..3 * 4096 + 120 {
            let mut broken = whole.clone();
            broken[at] ^= 0xff;
            let bolt = Bolt::open(broken).unwrap();
            bolt.root().buckets().into_iter().for_each(|(_, bucket)| drop(bucket.values()));
        }
        assert!(Bolt::open(vec![0; 10000]).is_none());
    }
}
