//! Numbers as a predicate has them: C's notation, and the names of constants that calls take.

use nix::libc;

use crate::spec::{
    error::Located,
    nearest::{Near, nearest},
    problem::FilterProblem,
    word::Word,
};

/// Name and value of each, as this machine's libc has them.
macro_rules! constants {
    ($($name:ident)+) => { &[$((stringify!($name), libc::$name as i64)),+] };
}

/// What the flags, commands and kinds of the usual calls are made of.
#[rustfmt::skip]
#[expect(clippy::cast_possible_wrap, reason = "libc's constants have many types, none of them that large")]
const CONSTANTS: &[(&str, i64)] = constants![
    // open
    O_RDONLY O_WRONLY O_RDWR O_ACCMODE O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_DSYNC O_SYNC
    O_DIRECT O_DIRECTORY O_NOFOLLOW O_NOATIME O_CLOEXEC O_PATH O_TMPFILE O_ASYNC
    // *at
    AT_FDCWD AT_SYMLINK_NOFOLLOW AT_REMOVEDIR AT_EACCESS AT_SYMLINK_FOLLOW AT_EMPTY_PATH AT_NO_AUTOMOUNT
    // access, seek, rename, fallocate
    F_OK R_OK W_OK X_OK SEEK_SET SEEK_CUR SEEK_END SEEK_DATA SEEK_HOLE RENAME_NOREPLACE RENAME_EXCHANGE
    RENAME_WHITEOUT FALLOC_FL_KEEP_SIZE FALLOC_FL_PUNCH_HOLE FALLOC_FL_ZERO_RANGE
    // memory
    PROT_NONE PROT_READ PROT_WRITE PROT_EXEC MAP_SHARED MAP_PRIVATE MAP_FIXED MAP_ANONYMOUS MAP_HUGETLB
    MAP_POPULATE MAP_STACK MAP_NORESERVE MAP_LOCKED MS_ASYNC MS_SYNC MS_INVALIDATE MADV_DONTNEED MADV_FREE
    MADV_WILLNEED MADV_HUGEPAGE MREMAP_MAYMOVE MREMAP_FIXED
    // processes
    CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_VFORK CLONE_PARENT CLONE_THREAD CLONE_NEWNS
    CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID CLONE_NEWNET WNOHANG WUNTRACED
    // sockets
    AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET AF_VSOCK SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_SEQPACKET
    SOCK_NONBLOCK SOCK_CLOEXEC SOL_SOCKET SO_REUSEADDR SO_REUSEPORT SO_KEEPALIVE SO_RCVBUF SO_SNDBUF
    SO_ERROR SO_RCVTIMEO SO_SNDTIMEO IPPROTO_TCP IPPROTO_UDP IPPROTO_IP IPPROTO_IPV6 TCP_NODELAY
    MSG_DONTWAIT MSG_NOSIGNAL MSG_PEEK MSG_WAITALL MSG_MORE MSG_OOB MSG_TRUNC SHUT_RD SHUT_WR SHUT_RDWR
    // fcntl, flock, ioctl
    F_DUPFD F_GETFD F_SETFD F_GETFL F_SETFL F_GETLK F_SETLK F_SETLKW F_DUPFD_CLOEXEC F_OFD_SETLK
    F_OFD_SETLKW LOCK_SH LOCK_EX LOCK_UN LOCK_NB FIONREAD FIONBIO TCGETS TIOCGWINSZ FICLONE
    // events, futexes, others
    EPOLL_CTL_ADD EPOLL_CTL_MOD EPOLL_CTL_DEL FUTEX_WAIT FUTEX_WAKE FUTEX_WAIT_BITSET FUTEX_WAKE_BITSET
    FUTEX_PRIVATE_FLAG CLOCK_REALTIME CLOCK_MONOTONIC TIMER_ABSTIME GRND_NONBLOCK GRND_RANDOM
    MS_RDONLY MS_BIND MS_REMOUNT MNT_DETACH PR_SET_NAME PR_SET_PDEATHSIG PR_SET_NO_NEW_PRIVS
    RLIMIT_NOFILE RLIMIT_AS RLIMIT_NPROC SIGHUP SIGINT SIGQUIT SIGKILL SIGTERM SIGUSR1 SIGUSR2 SIGSTOP
    SIGCONT SIGCHLD SIGPIPE SIGALRM SIGSEGV SIGABRT
];

/// Reads `4096`, `0x1000`, `010`, `-1`, `O_CREAT` or `O_CREAT|O_TRUNC`. A number may be as large as an
/// unsigned register; what comes out are the register's bits.
pub(super) fn parse(word: Word<'_>) -> Result<u64, Located> {
    if word.text.is_empty() {
        return Err(word.problem(FilterProblem::NoOperand));
    }
    let mut value = 0;
    for piece in word.text.split('|') {
        value |= one(word, piece)?;
    }
    Ok(value)
}

fn one(word: Word<'_>, piece: &str) -> Result<u64, Located> {
    let (negative, digits) = match piece.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, piece),
    };
    if digits.starts_with(|c: char| c.is_ascii_digit()) {
        return c_number(digits)
            .and_then(|number| {
                if negative {
                    0_i64.checked_sub_unsigned(number).map(i64::cast_unsigned)
                } else {
                    Some(number)
                }
            })
            .ok_or_else(|| word.problem(FilterProblem::Operand(piece.into())));
    }
    if let Some((_, value)) = CONSTANTS.iter().find(|(name, _)| *name == piece) {
        return Ok(value.cast_unsigned());
    }
    let near = match piece {
        path if path.starts_with('/') => Some(format!("path={path}").into()),
        _ => nearest(piece, CONSTANTS.iter().map(|(name, _)| *name)).map(Near::from),
    };
    Err(word.problem(FilterProblem::UnknownConstant { word: piece.into(), near }))
}

/// A number without a sign in C's notation: decimal, `0x` hexadecimal, a leading 0 for octal.
pub(super) fn c_number(digits: &str) -> Option<u64> {
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    // `from_str_radix` would take a sign.
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(digits, radix).ok().filter(|_| plain)
}
