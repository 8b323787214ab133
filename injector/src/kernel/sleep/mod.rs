//! Call delays: what makes a thread sleep in the middle of a system call, for as long as a rule says, and no longer.
//!
//! No helper of BPF sleeps for a time. But a sleepable program may read another process's memory, and waits
//! there for the page. The pages here are those of a file system of our own, which answers late and never has
//! one. Three processes beside the injector, each for one purpose, and none of them in the way of the others:
//! the `server` answers, the `pager` has the memory, the `watchdog` ends everything if the server does
//! not do its work. All of them go with the injector, however it ends. And when they go, the `barrier` keeps
//! the programs in which somebody slept until he has left them.

mod barrier;
mod fuse_proto;
mod heartbeat;
mod pager;
mod self_test;
mod server;
mod session;
mod slots;
mod step;
mod tasks;
mod timers;
mod watchdog;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::Ordering::Relaxed,
    thread,
    time::{Duration, Instant},
};

use injector_common::{
    shared::{self, Shared},
    sleep::FILE_SIZE,
};
use rustix::thread::CapabilitySet;

pub(super) use self::{
    barrier::{Barrier, Numbers, WAITS_FOR_SLEEPERS},
    session::Session,
    tasks::check as check_waiting,
};
pub use self::{
    self_test::{Lateness, lateness},
    step::Step,
};
use crate::{
    clock,
    kernel::{
        bpf::probe_programs,
        helper::{self, Helper},
        rights,
        sleep::{
            heartbeat::{Heartbeat, Observer, STALLED},
            server::Server,
            slots::Slots,
            step::at,
            watchdog::Watchdog,
        },
    },
};

/// The helpers have ended, or their server does nothing, though nobody asked for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
pub enum Lost {
    /// They are no more.
    #[error("the process that wakes delayed calls was ended from outside")]
    Killed,
    /// Their server did nothing any more.
    #[error("the process that wakes delayed calls did not answer any more, and was ended")]
    Hung,
}

/// The three processes. Dropping it wakes everybody and ends them.
#[derive(Debug)]
pub struct Helpers {
    supervision: Supervision,
    pager: Helper,
    heartbeat: Heartbeat,
    observer: Observer,
    slots: Slots,
    mapping: (u32, u64),
    #[expect(
        dead_code,
        reason = "open as long as the injector or the watchdog lives: that is how the others know"
    )]
    alive: OwnedFd,
}

/// The watchdog, and what it uses of the table of descriptors that it has in common with the injector.
#[derive(Debug)]
pub(super) struct Supervision {
    // In this order: what the watchdog uses is closed when it has ended.
    watchdog: Helper,
    server: Helper,
    #[expect(dead_code, reason = "the watchdog's: with it, it has the kernel end all requests")]
    switch: OwnedFd,
}

impl Helpers {
    /// Starts them. `table` is that of the sleep slots, an array map that can be mapped; nobody sleeps longer
    /// than `longest`; `shared` is where the plan is switched off. To be called by a thread that stays: with it the
    /// helpers end.
    ///
    /// # Errors
    /// What the kernel refused, or would not do in time.
    pub fn start(table: BorrowedFd<'_>, shared: &Shared, longest: Duration) -> Result<Self, Step> {
        let slots = Slots::map(table).map_err(at("map the table of sleep slots"))?;
        let heartbeat = Heartbeat::anonymous().map_err(at("map a page"))?;
        let (injector, alive) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(at("make a pipe"))?;
        let number = Numbers::now().map_err(at("ask for the limit of open files"))?.alive;
        let alive = barrier::numbered(alive.as_fd(), number).map_err(at("make a pipe"))?;
        let session = Session::new()?;
        let fork = || at("start a process");

        let keep = [session.device.as_fd(), injector.as_fd()];
        let server = Helper::start(c"injector-fuse", &keep, || {
            if helper::die_with(injector.as_fd()).is_err() {
                return;
            }
            // To read the signals of threads where /proc hides those of others. It works with more as well.
            let _ = rights::keep_in_process(CapabilitySet::SYS_PTRACE);
            let delay = |offset| slots.delay_at(offset);
            let ended = |rule| {
                let (deadline, lease) = (shared.deadline.load(Relaxed), shared.lease.load(Relaxed));
                heartbeat.has_ended(rule) || !shared::alive(clock::now(), deadline, lease)
            };
            let server = Server {
                device: session.device.as_fd(),
                injector: injector.as_fd(),
                delay: &delay,
                killed: &server::killed,
                ended: &ended,
                size: FILE_SIZE,
                longest: clock::nanoseconds(longest),
            };
            server.run(&heartbeat);
        })
        .map_err(fork())?;

        let file = session.open()?;
        let switch = session::abort_switch(&file)?;

        let whoami = probe_programs::whoami().map_err(|(source, _)| at("load a program")(source))?;
        let keep = [file.as_fd(), whoami.as_fd(), injector.as_fd()];
        let pager = Helper::start(c"injector-pager", &keep, || {
            pager::run(&file, whoami.as_fd(), injector.as_fd(), &heartbeat);
        })
        .map_err(fork())?;
        let mapping = wait_for_mapping(&heartbeat).map_err(at("map a file of a FUSE file system"))?;

        let watchdog = Helper::sharing_descriptors(c"injector-wdog", || {
            Watchdog { server: server.pidfd(), switch: &switch }.run(&heartbeat);
        })
        .map_err(fork())?;
        let supervision = Supervision { watchdog, server, switch };
        let observer = Observer::default();
        Ok(Self { supervision, pager, heartbeat, observer, slots, mapping, alive })
    }

    /// The helpers' processes, which no rule may meet.
    pub fn processes(&self) -> [BorrowedFd<'_>; 3] {
        [self.supervision.server.pidfd(), self.supervision.watchdog.pidfd(), self.pager.pidfd()]
    }

    /// Their numbers, in this pid namespace.
    pub fn numbers(&self) -> Vec<u32> {
        let helpers = [&self.supervision.server, &self.supervision.watchdog, &self.pager];
        helpers.into_iter().map(|helper| helper.number().as_raw().unsigned_abs()).collect()
    }

    /// The pager's number in the initial pid namespace, and where in its memory the slots begin.
    pub fn mapping(&self) -> (u32, u64) {
        self.mapping
    }

    /// Do they all do their work? Asked every `period`. The server is killed if it does not do its own, in case
    /// the watchdog has not done it.
    ///
    /// # Errors
    /// Delays have ended, for good.
    pub fn check(&mut self, period: Duration) -> Result<(), Lost> {
        let helpers = [&self.supervision.server, &self.supervision.watchdog, &self.pager];
        if helpers.into_iter().any(Helper::is_gone) {
            return Err(Lost::Killed);
        }
        if !self.observer.sees_life(&self.heartbeat, period) {
            helper::kill(self.supervision.server.pidfd());
            return Err(Lost::Hung);
        }
        Ok(())
    }

    /// Wakes those who sleep as long as rule `number` lasts.
    pub fn end_rule(&self, number: u32) {
        self.heartbeat.end(number);
    }

    /// Wakes everybody, for good, and waits for them to say so. What is left is the watchdog.
    pub(super) fn end(self) -> Supervision {
        /// Whoever is awake needs a processor, and some are given little time on one.
        const PATIENCE: Duration = Duration::from_secs(2);
        self.supervision.server.kill();
        self.slots.left(PATIENCE);
        self.supervision
    }
}

/// The pager tells when it is ready.
fn wait_for_mapping(heartbeat: &Heartbeat) -> io::Result<(u32, u64)> {
    let start = Instant::now();
    loop {
        if let Some(mapping) = heartbeat.mapping()? {
            return Ok(mapping);
        }
        if start.elapsed() > STALLED {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(Duration::from_millis(1));
    }
}
