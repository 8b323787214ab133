//! The delays of a live plan: the helpers that make calls wait, and as many programs that sleep as it takes.

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    sync::atomic::Ordering::Relaxed,
    thread::{self, JoinHandle},
    time::Duration,
};

use injector_common::shared::Shared;

use crate::{
    clock,
    kernel::{
        error::InstallError,
        sleep::{Barrier, Helpers, Lost, Supervision},
        syscall::delay::End,
    },
};

/// Delays that did not happen, or not wholly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Shortfall {
    /// Calls that went on without the delay, because all programs that sleep were in use.
    pub missed: u64,
    /// Delays that ended before their time: the thread was killed, or the plan ended.
    pub cut_short: u64,
}

/// What is kept of a plan's delays.
#[derive(Debug, Default)]
pub(crate) struct CallDelays {
    helpers: Option<Helpers>,
    /// What is left of the helpers, when everybody is awake.
    supervision: Option<Supervision>,
    /// As long as it is there, somebody may be in a program that sleeps, or between two.
    barrier: Option<Barrier>,
    /// Programs that were taken off while somebody may have slept in front of them.
    retired: Vec<OwnedFd>,
    /// Waits until nobody needs what was retired before.
    release: Option<JoinHandle<()>>,
    /// Delays missed before and behind calls, when it was looked at last.
    seen: [u64; 2],
}

impl CallDelays {
    /// Starts the helpers, if they are not there; `exempt` keeps rules off them.
    pub(crate) fn begin(
        &mut self,
        table: BorrowedFd<'_>,
        shared: &Shared,
        longest: Duration,
        exempt: impl Fn(BorrowedFd<'_>) -> Result<(), InstallError>,
    ) -> Result<(), InstallError> {
        if self.helpers.is_some() {
            return Ok(());
        }
        if let Some(release) = self.release.take() {
            let _ = release.join();
        }
        let barrier = Barrier::new()?;
        let helpers = Helpers::start(table, shared, longest)?;
        for process in helpers.processes() {
            exempt(process)?;
        }
        let (pager, slots) = helpers.mapping();
        shared.longest.store(clock::nanoseconds(longest), Relaxed);
        shared.pager_slots.store(slots, Relaxed);
        shared.pager.store(u64::from(pager), Relaxed);
        (self.helpers, self.barrier) = (Some(helpers), Some(barrier));
        Ok(())
    }

    /// The numbers of the helpers, in this pid namespace.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.helpers.as_ref().map_or_else(Vec::new, Helpers::numbers)
    }

    /// Rule `number` has ended.
    pub(crate) fn end_rule(&self, number: u32) {
        if let Some(helpers) = &self.helpers {
            helpers.end_rule(number);
        }
    }

    /// Are the helpers well, if there are any?
    pub(crate) fn check(&mut self, period: Duration) -> Result<(), Lost> {
        self.helpers.as_mut().map_or(Ok(()), |helpers| helpers.check(period))
    }

    /// The ends of calls at which delays were missed since it was asked last.
    pub(crate) fn missed(&mut self, shared: &Shared) -> Vec<End> {
        let now = [shared.missed_before.load(Relaxed), shared.missed_behind.load(Relaxed)];
        let before = std::mem::replace(&mut self.seen, now);
        let ends = [End::Before, End::Behind].into_iter().zip(now).zip(before);
        ends.filter(|((_, now), before)| now > before).map(|((end, _), _)| end).collect()
    }

    /// Has programs go that were taken off a function: at once, or when nobody can sleep in front of them.
    pub(crate) fn retire(&mut self, programs: Vec<OwnedFd>) {
        if self.barrier.is_some() {
            self.retired.extend(programs);
        }
    }

    /// Wakes everybody.
    pub(crate) fn wake(&mut self) {
        if let Some(helpers) = self.helpers.take() {
            self.supervision = Some(helpers.end());
        }
    }

    /// Lets go of the programs, whose links are gone, when nobody comes to them any more. That can take as long
    /// as somebody sleeps in other people's programs, so it is not waited for.
    pub(crate) fn release(&mut self) {
        self.supervision = None;
        let Some(barrier) = self.barrier.take() else { return };
        let retired = std::mem::take(&mut self.retired);
        let release = || {
            barrier.pass();
            drop(retired);
        };
        // Without a thread nothing is closed before the process ends, and then in the right order.
        self.release = thread::Builder::new().name("injector-detach".into()).spawn(release).ok();
    }

    /// The same when the injector is about to end: all is left to the kernel, which does it when the watchdog,
    /// too, has ended. So nobody waits for that either.
    pub(crate) fn leave(&mut self) {
        std::mem::forget((self.supervision.take(), self.barrier.take(), std::mem::take(&mut self.retired)));
    }
}

/// How often delays fell short so far.
pub(crate) fn shortfall(shared: &Shared) -> Shortfall {
    Shortfall {
        missed: shared.missed_before.load(Relaxed) + shared.missed_behind.load(Relaxed),
        cut_short: shared.cut_short.load(Relaxed),
    }
}
