//! The warden: a process that outlives the injector for as long as it takes to undo its pauses. It does what the driver
//! does and `recover`, by the marks; and it does it, too, when the plan has ended or its lease has passed while the
//! injector is stopped.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use injector_common::shared::alive;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::SigSet,
};
use rustix::{
    pipe::{PipeFlags, pipe_with},
    process::{Pid, PidfdFlags, pidfd_open},
    thread::CapabilitySet,
};
use std::sync::atomic::Ordering::Relaxed;

use crate::{
    clock,
    faults::process::mark,
    kernel::{bpf::mapped::SharedMemory, helper::Helper, rights},
};

/// How often it looks whether the plan still acts, milliseconds.
const LOOK: u16 = 100;

/// How often it undoes what an injector does that was stopped in the middle of a pause, and goes on.
const AGAIN: Duration = Duration::from_secs(1);

/// How long it may take to go once it is let go.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process. Dropping it has it undo what is left, and waits for its end.
#[derive(Debug)]
pub(super) struct Warden {
    /// Open as long as the injector lives.
    alive: Option<OwnedFd>,
    helper: Helper,
}

impl Warden {
    /// Starts it, for the marks of `plan` at the cgroup `top` and all below.
    pub(super) fn start(plan: u32, top: &Path, shared: &SharedMemory) -> io::Result<Self> {
        let (injector, alive) = pipe_with(PipeFlags::CLOEXEC)?;
        // Readable when we have ended, even if somebody else has the pipe open, such as one whom a library's user forks.
        let own =
            Pid::from_raw(i32::try_from(std::process::id()).unwrap_or(0)).ok_or(io::ErrorKind::NotFound)?;
        let own = pidfd_open(own, PidfdFlags::empty())?;
        let keep = [injector.as_fd(), own.as_fd()];
        let top: PathBuf = top.into();
        let helper = Helper::outliving(c"injector-warden", &keep, || {
            watch(plan, &top, shared, [injector.as_fd(), own.as_fd()]);
        })?;
        Ok(Self { alive: Some(alive), helper })
    }

    /// Its number, in this pid namespace.
    pub(super) fn number(&self) -> u32 {
        self.helper.number().as_raw().unsigned_abs()
    }

    /// To keep rules off it.
    pub(super) fn pidfd(&self) -> BorrowedFd<'_> {
        self.helper.pidfd()
    }

    /// Has it ended? Nobody undoes pauses then but us.
    pub(super) fn is_gone(&self) -> bool {
        self.helper.is_gone()
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        self.alive = None;
        let start = Instant::now();
        while !self.helper.is_gone() && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// All of its life. `injector`: its pipe and its pidfd.
fn watch(plan: u32, top: &Path, shared: &SharedMemory, injector: [BorrowedFd<'_>; 2]) {
    // Whoever ends the injector by its name means the injector; this one goes by itself.
    let _ = SigSet::all().thread_block();
    // To reach processes of other users, and cgroups that are theirs. It works with more as well.
    let _ = rights::keep_in_process(CapabilitySet::KILL | CapabilitySet::DAC_OVERRIDE);
    // Nobody could be told of what fails; `recover` tries it again.
    let undo = || drop(mark::undo_below(top, |of| of == plan));
    let mut due = Instant::now();
    loop {
        // Nothing is ever written to the pipe: its end is an event that is always told.
        let mut ends = injector.map(|end| PollFd::new(end, PollFlags::POLLIN));
        if poll(&mut ends, PollTimeout::from(LOOK)).is_ok_and(|ended| ended > 0) {
            undo();
            return;
        }
        let acts = alive(clock::now(), shared.deadline.load(Relaxed), shared.lease.load(Relaxed));
        if !acts && Instant::now() >= due {
            undo();
            due = Instant::now() + AGAIN;
        }
    }
}
