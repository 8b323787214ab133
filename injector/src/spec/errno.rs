//! Error numbers by name and by number, as strace's `error=` takes them.
//!
//! The names are libc's (through nix), and those that only the kernel itself uses
//! (include/linux/errno.h, Linux 6.12), which strace knows as well.

use std::{fmt, sync::LazyLock};

use nix::errno::Errno as Libc;

use crate::spec::{error::Located, nearest::nearest, problem::ValueProblem, word::Word};

/// An error number, 1 to 4095.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(u16);

impl Errno {
    /// The highest number that the kernel takes for an error (`MAX_ERRNO`, include/linux/err.h).
    pub const MAX: u16 = 4095;

    /// "Function not implemented": what `fault=` injects if nothing else is said.
    pub const ENOSYS: Self = Self(Libc::ENOSYS as u16);

    /// The error with this number.
    pub const fn new(number: u16) -> Option<Self> {
        if matches!(number, 1..=Self::MAX) { Some(Self(number)) } else { None }
    }

    /// Its number, positive.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Its name, if it has one.
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(_, number)| *number == self.0).map(|(name, _)| name.as_str())
    }

    /// Reads `ENOENT`, `enoent`, `-ENOENT` or `2`.
    pub(super) fn parse(word: Word<'_>) -> Result<Self, Located> {
        if word.text.bytes().all(|byte| byte.is_ascii_digit()) {
            let number = word.decimal().and_then(Self::new);
            return number.ok_or_else(|| word.problem(ValueProblem::ErrnoRange(word.text.into())));
        }
        let name = word.text.strip_prefix('-').unwrap_or(word.text);
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(word.problem(ValueProblem::ErrnoRange(word.text.into())));
        }
        let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(_, number)| Self(*number)).ok_or_else(|| {
            // Something else where a colon separates words.
            if let Some((first, rest)) = name.split_once([';', ' ']) {
                let rest = rest.trim_start();
                if NAMES.iter().any(|(known, _)| known.eq_ignore_ascii_case(first)) && rest.contains('=') {
                    let instead = format!("error={first}:{rest}");
                    return word.problem(ValueProblem::ErrnoAndMore { word: name.into(), instead });
                }
            }
            let near = nearest(name, NAMES.iter().map(|(known, _)| known.as_str()));
            word.problem(ValueProblem::UnknownErrno { word: name.into(), near })
        })
    }
}

impl fmt::Display for Errno {
    /// The name, or the number of an error that has none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

/// Constants of the errors that programs most often meet.
macro_rules! named {
    ($($name:ident)*) => {
        #[expect(missing_docs, reason = "errno(3) says what each means")]
        impl Errno {
            $(pub const $name: Self = Self(Libc::$name as u16);)*
        }
    };
}

named! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDEADLK ENAMETOOLONG ENOLCK ENOTEMPTY ELOOP ENODATA ETIME EPROTO EOVERFLOW EBADMSG ENOTSOCK EMSGSIZE EOPNOTSUPP EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EDQUOT ECANCELED
}

/// Other names of the same numbers.
const ALIASES: [(&str, Libc); 3] =
    [("EWOULDBLOCK", Libc::EWOULDBLOCK), ("EDEADLOCK", Libc::EDEADLOCK), ("ENOTSUP", Libc::ENOTSUP)];

/// Errors that user space does not normally see.
const INTERNAL: [(&str, u16); 18] = [
    ("ERESTARTSYS", 512),
    ("ERESTARTNOINTR", 513),
    ("ERESTARTNOHAND", 514),
    ("ENOIOCTLCMD", 515),
    ("ERESTART_RESTARTBLOCK", 516),
    ("EPROBE_DEFER", 517),
    ("EOPENSTALE", 518),
    ("ENOPARAM", 519),
    ("EBADHANDLE", 521),
    ("ENOTSYNC", 522),
    ("EBADCOOKIE", 523),
    ("ENOTSUPP", 524),
    ("ETOOSMALL", 525),
    ("ESERVERFAULT", 526),
    ("EBADTYPE", 527),
    ("EJUKEBOX", 528),
    ("EIOCBQUEUED", 529),
    ("ERECALLCONFLICT", 530),
];

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| name.as_str())
}

/// Every name with its number; of several names of one number, the usual one first.
static NAMES: LazyLock<Vec<(String, u16)>> = LazyLock::new(|| {
    let libc = (1..=Errno::MAX).filter_map(|number| match Libc::from_raw(i32::from(number)) {
        Libc::UnknownErrno => None,
        known => Some((format!("{known:?}"), number)),
    });
    let aliases = ALIASES.iter().map(|&(name, known)| (name.to_owned(), known as u16));
    let internal = INTERNAL.iter().map(|&(name, number)| (name.to_owned(), number));
    libc.chain(aliases).chain(internal).collect()
});
