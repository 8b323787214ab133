//! The watchdog: a process beside the server that looks at its heartbeat. If it stands still, or the server has ended,
//! the kernel is told to end all requests, and every sleeper is awake.
//!
//! It has the injector's table of descriptors, so that nothing of that is closed while the injector dies: it goes
//! with the watchdog, which nobody waits for, in the order of [`super::barrier`]. When the injector dies, the kernel
//! kills the watchdog ([`crate::kernel::helper`]), so the table goes at once even if the watchdog is stopped; it kills the
//! server as well, and with it everybody wakes up.

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    thread,
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::thread::CapabilitySet;

use crate::kernel::{
    helper::kill,
    rights,
    sleep::{
        heartbeat::{BEAT, Cells, Observer},
        session,
    },
};

/// What it watches, and what it does it with.
pub(super) struct Watchdog<'a> {
    pub(super) server: BorrowedFd<'a>,
    /// Of the kernel, see [`session::abort_switch`].
    pub(super) switch: &'a OwnedFd,
}

impl Watchdog<'_> {
    /// Watches until it is killed.
    pub(super) fn run(&self, heartbeat: &Cells) -> ! {
        // What it does, it does by descriptors, and to its like. It works with more as well.
        let _ = rights::keep_in_process(CapabilitySet::empty());
        let period = PollTimeout::try_from(BEAT).unwrap_or(PollTimeout::ZERO);
        let mut observer = Observer::default();
        loop {
            let mut server = [PollFd::new(self.server, PollFlags::POLLIN)];
            let ended = poll(&mut server, period).is_ok_and(|count| count > 0);
            if ended || !observer.sees_life(heartbeat, BEAT) {
                break;
            }
        }
        self.wake_all();
        // The injector's descriptors stay open, as long as it lives.
        loop {
            thread::sleep(Duration::MAX);
        }
    }

    /// Both, each for the case that the other does not help.
    fn wake_all(&self) {
        let _ = session::abort(self.switch);
        kill(self.server.as_fd());
    }
}
