//! What stands between the links of programs that sleep and the programs themselves, so that none is freed that
//! somebody who slept can still come to, however the injector ends.
//!
//! A thread that slept goes on, in the same trampoline, to the programs behind its own. The kernel keeps the
//! trampoline for it, but not those programs when they are closed (kernel/bpf/trampoline.c, `bpf_tramp_image_put`,
//! Linux 6.12): those that may sleep it frees when nobody is in such a program, and the thread may be between two;
//! those of others it frees after an ordinary grace period, which does not wait for it at all. So between the
//! links, without which nobody new comes, and the programs, three descriptors are closed. The kernel waits in each:
//!
//! 1. for all tasks to sleep or to leave the kernel, so that who was between two programs is in one, or out;
//! 2. for all who are in a program that may sleep, asleep or not;
//! 3. as in 1, for those who were in one then.
//!
//! For a process that dies the kernel does it in the same order: it closes descriptors from the highest number to
//! the lowest (fs/file.c, `close_files`; kernel/task_work.c, `task_work_run`: last in, first out). So the numbers
//! make the order, and [`Numbers`] says which.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use nix::sys::resource::{Resource, getrlimit};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::kernel::{
    bpf::{kind::Kind, probe_programs, sys},
    sleep::{
        step::{Step, at},
        tasks,
    },
};

/// With it came the wait of the second descriptor (kernel/events/uprobes.c, Linux 6.12).
pub(in super::super) const WAITS_FOR_SLEEPERS: &str = "uprobe_unregister_sync";

/// Descriptors at whose end the kernel waits until no thread can come to a closed program any more. Fields
/// are closed in this order.
#[derive(Debug)]
pub(in super::super) struct Barrier {
    first: OwnedFd,
    second: OwnedFd,
    third: OwnedFd,
}

impl Barrier {
    /// Puts it up, at its numbers.
    pub(in super::super) fn new() -> Result<Self, Step> {
        let numbers = Numbers::now().map_err(at("ask for the limit of open files"))?;
        let step = || at("keep programs for those who sleep");
        let [first, third] = tasks::pair().map_err(step())?;
        let third = numbered(third.as_fd(), numbers.programs).map_err(step())?;
        let second = numbered(sleepers().map_err(step())?.as_fd(), numbers.programs + 1).map_err(step())?;
        let first = numbered(first.as_fd(), numbers.programs + 2).map_err(step())?;
        Ok(Self { first, second, third })
    }

    /// Waits until nobody can come to a program any more whose link is gone: until everybody is awake who sleeps
    /// now, in a program of ours or of others.
    pub(in super::super) fn pass(self) {
        let Self { first, second, third } = self;
        drop(first);
        drop(second);
        drop(third);
    }
}

/// A descriptor whose end waits for all who are in a program that may sleep: a probe in a file that nobody runs
/// (kernel/events/uprobes.c, `uprobe_unregister_sync`: `synchronize_rcu_tasks_trace`).
fn sleepers() -> io::Result<OwnedFd> {
    let program =
        probe_programs::load(&probe_programs::constant(0), Kind::UprobeMulti).map_err(|(error, _)| error)?;
    let file = memfd_create("injector", MemfdFlags::CLOEXEC)?;
    let path = std::ffi::CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    sys::link_uprobe_multi(program.as_fd(), &path)
}

/// The numbers of descriptors, by what they stand for.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Numbers {
    /// Programs are below it, the barrier from here on, links above.
    programs: RawFd,
    /// Above all: what the helpers know by that there is an injector, see [`super::Helpers`].
    pub(super) alive: RawFd,
}

impl Numbers {
    /// By how many files may be open.
    pub(in super::super) fn now() -> io::Result<Self> {
        /// Enough for all the programs of a plan, and a table that costs nothing.
        const MOST: u64 = 16_384;
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
        Ok(Self::below(RawFd::try_from(soft.min(MOST)).unwrap_or(0)))
    }

    const fn below(limit: RawFd) -> Self {
        Self { programs: limit / 2, alive: limit - 1 }
    }

    /// A program and its link, each at a number of its kind.
    ///
    /// # Errors
    /// There is no such number: too many files are open.
    pub(in super::super) fn give(self, program: OwnedFd, link: &OwnedFd) -> io::Result<(OwnedFd, OwnedFd)> {
        self.check(&program)?;
        let link = from(link.as_fd(), self.programs + 3)?;
        if link.as_raw_fd() >= self.alive { Err(too_many()) } else { Ok((program, link)) }
    }

    /// The same for a program alone.
    pub(in super::super) fn check(self, program: &OwnedFd) -> io::Result<()> {
        if program.as_raw_fd() < self.programs { Ok(()) } else { Err(too_many()) }
    }
}

fn too_many() -> io::Error {
    io::Error::from_raw_os_error(libc::EMFILE)
}

/// The same file at exactly this number.
pub(super) fn numbered(file: BorrowedFd<'_>, number: RawFd) -> io::Result<OwnedFd> {
    let found = from(file, number)?;
    if found.as_raw_fd() == number { Ok(found) } else { Err(too_many()) }
}

/// The same file at the first free number from this one on.
fn from(file: BorrowedFd<'_>, number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: numbers only.
    let found = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, number) };
    if found < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that the kernel has just made for us.
    Ok(unsafe { OwnedFd::from_raw_fd(found) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_below_the_barrier_and_links_above() {
        let file = || memfd_create("test", MemfdFlags::CLOEXEC).unwrap();
        let numbers = Numbers::below(400);
        let (program, link) = numbers.give(file(), &file()).unwrap();
        assert!(program.as_raw_fd() < 200 && (203..399).contains(&link.as_raw_fd()));
        let high = numbered(file().as_fd(), 250).unwrap();
        assert_eq!(numbers.check(&high).unwrap_err().raw_os_error(), Some(libc::EMFILE));
        assert!(numbered(file().as_fd(), 250).is_err(), "it is in use");
    }
}
