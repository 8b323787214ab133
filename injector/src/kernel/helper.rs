//! A helper process: a fork of the injector, with the descriptors that it needs and nothing else, or with all
//! of them in common with the injector. It dies with the injector, or outlives it to put things right.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    panic::{AssertUnwindSafe, catch_unwind},
};

use nix::{
    sys::{
        prctl::set_pdeathsig,
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::{ForkResult, fork, getpid, getppid, setsid},
};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// One of our own making. Dropping it kills it and waits for its end.
#[derive(Debug)]
pub(crate) struct Helper {
    pidfd: OwnedFd,
    number: i32,
}

impl Helper {
    /// Forks; `body` runs in the child, which ends with it and has no descriptors but those in `keep`, and
    /// nothing at 0 to 2. The parent is best a process of one thread: the child allocates.
    pub(crate) fn start(name: &CStr, keep: &[BorrowedFd<'_>], body: impl FnOnce()) -> io::Result<Self> {
        let parent = getpid();
        // SAFETY: the child touches nothing that a thread of the parent could hold, but the allocator, which
        // the C library makes usable again after a fork.
        match unsafe { fork()? } {
            ForkResult::Child => child(name, parent, || close_all_but(keep), body),
            ForkResult::Parent { child } => Self::of(child.as_raw()),
        }
    }

    /// The same as [`Self::start`] for one that outlives the injector, however that ends: `body` has to see to its own end.
    pub(crate) fn outliving(name: &CStr, keep: &[BorrowedFd<'_>], body: impl FnOnce()) -> io::Result<Self> {
        // SAFETY: as in `start`.
        match unsafe { fork()? } {
            ForkResult::Child => live(name, || Ok(()), || close_all_but(keep), body),
            ForkResult::Parent { child } => Self::of(child.as_raw()),
        }
    }

    /// The same as [`Self::start`] with the table of descriptors that the parent has, then and later: nothing in it is closed
    /// before both have ended. `body` must not close any, nor allocate: another thread may hold the allocator's lock.
    pub(crate) fn sharing_descriptors(name: &CStr, body: impl FnOnce()) -> io::Result<Self> {
        let flags = libc::CLONE_FILES | libc::SIGCHLD;
        let parent = getpid();
        // SAFETY: a fork in all but the descriptors; as above, but without the C library's handlers, so that the
        // child does nothing that needs a lock.
        match unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } {
            -1 => Err(io::Error::last_os_error()),
            0 => child(name, parent, || Ok(()), body),
            number => Self::of(i32::try_from(number).unwrap_or(0)),
        }
    }

    fn of(number: i32) -> io::Result<Self> {
        let pid = Pid::from_raw(number).ok_or(io::ErrorKind::InvalidData)?;
        // Its number is its own until it was waited for.
        Ok(Self { pidfd: pidfd_open(pid, PidfdFlags::empty())?, number })
    }

    /// Readable once it has ended.
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Its process number, as this process's namespace has it.
    pub(crate) fn number(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.number)
    }

    /// Has it ended?
    pub(crate) fn is_gone(&self) -> bool {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        !matches!(waitid(Id::PIDFd(self.pidfd()), flags), Ok(nix::sys::wait::WaitStatus::StillAlive))
    }

    /// Ends it. What it has open is closed by the time this returns.
    pub(crate) fn kill(&self) {
        kill(self.pidfd());
        // Gone already, if this fails.
        let _ = waitid(Id::PIDFd(self.pidfd()), WaitPidFlag::WEXITED);
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Kills a process; one that has ended stays so.
pub(crate) fn kill(pidfd: BorrowedFd<'_>) {
    let _ = pidfd_send_signal(pidfd, Signal::KILL);
}

/// All of a child's life, bound to the parent's.
fn child(
    name: &CStr,
    parent: nix::unistd::Pid,
    prepare: impl FnOnce() -> io::Result<()>,
    body: impl FnOnce(),
) -> ! {
    live(name, || die_with_thread(parent), prepare, body)
}

/// All of a child's life: `bind`, away from the terminal and its signals, then `body`.
fn live(
    name: &CStr,
    bind: impl FnOnce() -> io::Result<()>,
    prepare: impl FnOnce() -> io::Result<()>,
    body: impl FnOnce(),
) -> ! {
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let bound = bind();
        let _ = setsid();
        go_first();
        if bound.is_ok() && nix::sys::prctl::set_name(name).is_ok() && prepare().is_ok() {
            body();
        }
    }));
    // SAFETY: ends the process without the parent's exit handlers.
    unsafe { libc::_exit(i32::from(lived.is_err())) }
}

/// Before everybody else on a busy machine: what the helpers do is little, and others wait for it.
fn go_first() {
    // SAFETY: numbers only; without the right, it stays as it is.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
}

/// Has the kernel kill this process when the thread that made it ends, with its process or alone: a helper that is
/// stopped (SIGSTOP, a debugger, the freezer) could not end by itself, and one that shares the injector's descriptors
/// would keep all that is attached.
fn die_with_thread(parent: nix::unistd::Pid) -> io::Result<()> {
    set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    // It can have died before the kernel was told.
    if getppid() == parent { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Has the kernel kill this process when the other end of `pipe` is closed, even if it is stopped
/// (fs/pipe.c, `pipe_release`). A process that dies closes its files before anybody hears of its death, and may
/// have to wait in the middle of that for those whom this process keeps asleep. One process for each pipe.
pub(crate) fn die_with(pipe: BorrowedFd<'_>) -> io::Result<()> {
    let fd = pipe.as_raw_fd();
    // SAFETY: numbers only.
    let done = unsafe {
        libc::fcntl(fd, libc::F_SETOWN, libc::getpid()) == 0
            && libc::fcntl(fd, F_SETSIG, libc::SIGKILL) == 0
            && libc::fcntl(fd, libc::F_SETFL, libc::O_ASYNC) == 0
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Which signal `O_ASYNC` means (include/uapi/asm-generic/fcntl.h).
const F_SETSIG: libc::c_int = 10;

/// Gives up what the parent had open.
fn close_all_but(keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty())?;
    for standard in 0..3 {
        // SAFETY: descriptors of this process, whatever they were.
        if unsafe { libc::dup2(null.as_raw_fd(), standard) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let mut kept: Vec<RawFd> = keep.iter().map(AsRawFd::as_raw_fd).filter(|&fd| fd > 2).collect();
    kept.sort_unstable();
    // Closed with the rest.
    std::mem::forget(null);
    let mut first = 3;
    for fd in kept {
        close_between(first, fd - 1)?;
        first = fd + 1;
    }
    close_between(first, RawFd::MAX)
}

/// Closes all descriptors from `first` to `last`.
fn close_between(first: RawFd, last: RawFd) -> io::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: what is closed belongs to values of the parent, none of which is dropped here.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
