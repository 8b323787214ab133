//! What the kernel asks a file system over /dev/fuse, and what it is told (include/uapi/linux/fuse.h). One
//! file, whose pages come late and never: ten requests of the protocol, and the crate `fuser` can not be told
//! of the one that matters, FUSE_INTERRUPT.

/// The root directory.
const ROOT: u64 = 1;
/// The file.
const FILE: u64 = 2;
/// Bytes before a request's own.
const HEAD: usize = 40;
/// The version that is spoken: all that is needed here is older.
const VERSION: (u32, u32) = (7, 31);
/// How long the kernel may believe what it was told, in seconds.
const FOR_EVER: u64 = 1 << 30;

/// A request, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// What an answer refers to.
    pub(super) id: u64,
    /// The thread that waits, in the pid namespace of who mounted; 0 if it is in none below.
    pub(super) thread: u32,
    /// What is asked.
    pub(super) asked: Asked,
}

/// What the kernel wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To begin.
    Init,
    /// The file's place in the directory.
    Lookup,
    /// What the file, or the directory, is like.
    Attributes { directory: bool },
    /// To open the file.
    Open,
    /// A page of it.
    Read { offset: u64 },
    /// The thread that waits for this request has a signal.
    Interrupt { of: u64 },
    /// To say that something is over.
    Done,
    /// Nothing that wants an answer.
    Nothing,
    /// Anything else.
    Unknown,
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

impl Request {
    /// `None` for what is too short to be one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (operation, id, node, thread) =
            (half(bytes, 4)?, word(bytes, 8)?, word(bytes, 16)?, half(bytes, 32)?);
        let own = bytes.get(HEAD..)?;
        let asked = match operation {
            1 => Asked::Lookup,
            2 | 42 => Asked::Nothing,
            3 => Asked::Attributes { directory: node == ROOT },
            14 => Asked::Open,
            15 => Asked::Read { offset: word(own, 8)? },
            18 | 25 | 38 => Asked::Done,
            26 => Asked::Init,
            36 => Asked::Interrupt { of: word(own, 0)? },
            _ => Asked::Unknown,
        };
        Some(Self { id, thread, asked })
    }
}

/// An answer: an error (a positive errno), or bytes.
fn answer(id: u64, error: i32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap_or(16);
    let mut bytes = Vec::with_capacity(16 + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend((-error).to_ne_bytes());
    bytes.extend(id.to_ne_bytes());
    bytes.extend(body);
    bytes
}

/// It did not work, and this is why.
pub(super) fn failure(id: u64, errno: i32) -> Vec<u8> {
    answer(id, errno, &[])
}

/// It is done.
pub(super) fn done(id: u64) -> Vec<u8> {
    answer(id, 0, &[])
}

/// The session begins: no reading ahead, no flags.
pub(super) fn init(id: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for value in [VERSION.0, VERSION.1, 0, 0] {
        body.extend(value.to_ne_bytes());
    }
    for value in [64u16, 48] {
        body.extend(value.to_ne_bytes());
    }
    for value in [4096u32, 1] {
        body.extend(value.to_ne_bytes());
    }
    body.resize(64, 0);
    answer(id, 0, &body)
}

/// The file is there, this long.
pub(super) fn entry(id: u64, size: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for value in [FILE, 0, FOR_EVER, FOR_EVER, 0] {
        body.extend(value.to_ne_bytes());
    }
    body.extend(attributes_of(false, size));
    answer(id, 0, &body)
}

/// What the file, or the directory, is like.
pub(super) fn attributes(id: u64, directory: bool, size: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for value in [FOR_EVER, 0] {
        body.extend(value.to_ne_bytes());
    }
    body.extend(attributes_of(directory, size));
    answer(id, 0, &body)
}

/// The file is open.
pub(super) fn opened(id: u64) -> Vec<u8> {
    answer(id, 0, &[0; 16])
}

/// `struct fuse_attr`.
fn attributes_of(directory: bool, size: u64) -> Vec<u8> {
    let (node, mode, size) = if directory { (ROOT, 0o040_500, 0) } else { (FILE, 0o100_400, size) };
    let mut body = Vec::new();
    for value in [node, size, 0, 0, 0, 0] {
        body.extend(value.to_ne_bytes());
    }
    for value in [0u32, 0, 0, mode, 1, 0, 0, 0, 4096, 0] {
        body.extend(value.to_ne_bytes());
    }
    body
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A request as the kernel writes it.
    pub(in super::super) fn request(operation: u32, id: u64, thread: u32, own: &[u64]) -> Vec<u8> {
        let length = u32::try_from(HEAD + own.len() * 8).unwrap();
        let mut bytes = Vec::new();
        bytes.extend(length.to_ne_bytes());
        bytes.extend(operation.to_ne_bytes());
        bytes.extend(id.to_ne_bytes());
        bytes.extend(FILE.to_ne_bytes());
        for value in [0, 0, thread, 0] {
            bytes.extend(value.to_ne_bytes());
        }
        bytes.extend(own.iter().flat_map(|value| value.to_ne_bytes()));
        bytes
    }

    #[test]
    fn requests_are_read() {
        let read = Request::parse(&request(15, 8, 77, &[1, 3 << 16, 4096])).unwrap();
        assert_eq!(read, Request { id: 8, thread: 77, asked: Asked::Read { offset: 3 << 16 } });
        let interrupt = Request::parse(&request(36, 9, 77, &[8])).unwrap();
        assert_eq!(interrupt.asked, Asked::Interrupt { of: 8 });
        assert_eq!(
            Request::parse(&request(3, 9, 77, &[8])).unwrap().asked,
            Asked::Attributes { directory: false }
        );
        assert_eq!(Request::parse(&request(999, 9, 77, &[])).unwrap().asked, Asked::Unknown);
    }

    #[test]
    fn what_is_cut_off_is_no_request() {
        let whole = request(15, 8, 77, &[1, 2]);
        for length in 0..whole.len() {
            assert_eq!(Request::parse(&whole[..length]), None, "{length}");
        }
    }

    /// The sizes of include/uapi/linux/fuse.h, by which the kernel takes an answer or refuses it.
    #[test]
    fn answers_have_the_sizes_that_the_kernel_wants() {
        let sizes = [
            (failure(1, libc::EIO), 0),
            (init(1), 64),
            (entry(1, 9), 40 + 88),
            (attributes(1, true, 9), 16 + 88),
            (opened(1), 16),
        ];
        for (bytes, own) in sizes {
            assert_eq!(bytes.len(), 16 + own);
            assert_eq!(half(&bytes, 0), u32::try_from(bytes.len()).ok());
            assert_eq!(word(&bytes, 8), Some(1));
        }
        assert_eq!(half(&failure(1, libc::EIO), 4).map(u32::cast_signed), Some(-libc::EIO));
    }
}
