//! The watchdog: a process beside the server that looks at its heartbeat. If it stands still, the kernel is
//! told to end all requests, and every sleeper is awake. The same when the injector ends.
//!
//! It has the injector's table of descriptors, so that nothing of that is closed while the injector dies: it goes
//! with the watchdog, which nobody waits for, in the order of [`super::barrier`].

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::atomic::Ordering::Relaxed,
};

use injector_common::shared::Shared;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    helper::kill,
    pulse::{BEAT, Cells, Observer},
    session,
};

/// What it watches, and what it does it with.
pub(super) struct Watchdog<'a> {
    pub(super) injector: BorrowedFd<'a>,
    pub(super) server: BorrowedFd<'a>,
    /// Of the kernel, see [`session::abort_switch`].
    pub(super) switch: &'a OwnedFd,
    pub(super) shared: &'a Shared,
}

impl Watchdog<'_> {
    /// Watches until the injector has ended.
    pub(super) fn run(&self, pulse: &Cells) {
        let period = PollTimeout::try_from(BEAT).unwrap_or(PollTimeout::ZERO);
        let (mut working, mut observer) = (true, Observer::default());
        loop {
            let mut descriptors = [self.injector, self.server].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            // One that has ended stays readable.
            let watched = if working { &mut descriptors[..] } else { &mut descriptors[..1] };
            let _ = poll(watched, period);
            let [injector, server] =
                descriptors.map(|one| one.revents().is_some_and(|events| !events.is_empty()));
            if working && (injector || server || !observer.sees_life(pulse, BEAT)) {
                working = false;
                self.wake_all();
            }
            if injector {
                // No rule acts from here on.
                self.shared.deadline.store(0, Relaxed);
                return;
            }
        }
    }

    /// Both, each for the case that the other does not help.
    fn wake_all(&self) {
        let _ = session::abort(self.switch);
        kill(self.server.as_fd());
    }
}
