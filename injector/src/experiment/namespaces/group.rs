//! The process group of a command, whose leader's end is seen before its number is free again.

use std::{io, os::fd::OwnedFd};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use rustix::process::{PidfdFlags, pidfd_open};
use tokio::{
    io::{Interest, unix::AsyncFd},
    process::Child,
};

/// A command and all that it has started, unless that has left its group. Dropped, it is killed.
///
/// It has to be dropped before its child is reaped: the number may be somebody else's then.
#[derive(Debug)]
pub struct Group(Pid);

/// Tells when the leader of a group has ended. It is not reaped by that.
#[derive(Debug)]
pub struct Ended(AsyncFd<OwnedFd>);

impl Group {
    /// Of a child that leads a group of its own and has not been waited for.
    ///
    /// # Errors
    /// It has been waited for, or there are too many open files; then it is killed.
    pub(super) fn of(child: &Child) -> io::Result<(Self, Ended)> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or_else(gone)?;
        let group = Self(Pid::from_raw(pid));
        let leader = rustix::process::Pid::from_raw(pid).ok_or_else(gone)?;
        let pidfd = pidfd_open(leader, PidfdFlags::NONBLOCK)?;
        // SAFETY: an OwnedFd gives its own descriptor, which stays open until the AsyncFd lets go of it.
        let ended = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) };
        Ok((group, Ended(ended?)))
    }

    /// Tells it to end.
    pub fn signal(&self, signal: Signal) {
        // That all of it has ended is what was wanted.
        _ = killpg(self.0, signal);
    }

    /// Kills it.
    pub fn kill(self) {}
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

impl Ended {
    /// Until it has.
    pub async fn wait(&self) {
        // Nothing else makes it readable, and it stays so (pidfd_open(2)).
        _ = self.0.readable().await;
    }
}
