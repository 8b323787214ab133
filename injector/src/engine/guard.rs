//! The live plan. As long as it lives the rules act; dropping it takes everything back.

use std::{
    collections::BTreeSet,
    os::fd::{AsFd as _, OwnedFd},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use aya::maps::{MapData, RingBuf};
use injector_common::{queue::Queue, shared::LEASE_NS};
use tokio::{
    io::unix::AsyncFd,
    time::{Interval, MissedTickBehavior, interval},
};

use super::{
    EngineError, Start,
    devices::{device_changes, note_devices},
    events::Record,
    listed::Listed,
    report::{Report, RuleReport},
};
use crate::{
    kernel::{clock, installation::Installation, nap::Lost, packet::Coverage},
    plan::Plan,
    readable::readable,
    target::{Procfs, Target},
};

/// How often the lease is renewed and the targets are looked at.
const TICK: Duration = Duration::from_millis(500);

/// Events that are handed out in one go.
const BATCH: usize = 256;

/// Why a plan came to its end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its time is up.
    Deadline,
    /// Nothing is left of its targets.
    TargetsGone,
    /// Somebody stopped it (`injector stop`).
    Stopped,
    /// What makes calls wait has ended, or was ended because it hung.
    DelaysLost(Lost),
}

/// See the module.
pub struct Guard {
    pub(super) plan: Plan,
    pub(super) targets: Vec<Target>,
    gone: BTreeSet<usize>,
    pub(super) deadline: u64,
    pub(super) coverage: Option<Coverage>,
    ring: RingBuf<MapData>,
    /// The ring buffer's descriptor once more: readable when there are events.
    news: AsyncFd<OwnedFd>,
    tick: Interval,
    /// Of all rules that the plan has or has had, by number.
    pub(super) texts: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) installation: Installation,
    pub(super) listed: Listed,
    aborted: Option<String>,
}

impl Guard {
    pub(super) fn start(
        plan: Plan,
        targets: Vec<Target>,
        procfs: &Procfs,
        installation: Installation,
        coverage: Option<Coverage>,
        start: Start,
    ) -> Result<Self, EngineError> {
        let now = clock::now();
        let length = plan.options.duration.map_or(u64::MAX, clock::nanoseconds);
        let deadline = now.saturating_add(length);
        let shared = installation.shared();
        shared.lease.store(now + LEASE_NS, Relaxed);
        shared.deadline.store(deadline, Relaxed);
        let listed = Listed::begin(&plan, &targets, now, procfs, &installation)?;
        let ring = installation.events()?;
        let news = ring.as_fd().try_clone_to_owned().and_then(readable).map_err(EngineError::Events)?;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let texts = plan.rules.iter().map(|rule| rule.text.clone()).collect();
        let notes = plan.notes.clone();
        let gone = BTreeSet::new();
        let mut guard = Self {
            plan,
            targets,
            gone,
            deadline,
            coverage,
            ring,
            news,
            tick,
            texts,
            notes,
            installation,
            listed,
            aborted: None,
        };
        guard.cover_devices()?;
        let shared = guard.installation.shared();
        match start {
            Start::Now => shared.armed.store(1, Relaxed),
            Start::AtExec => shared.arm_at_exec.store(1, Relaxed),
        }
        Ok(guard)
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Keeps the plan alive until it ends by itself, handing every injection to `record`. Can be dropped
    /// and called again; while nobody waits here for ten seconds, the kernel lets everything pass.
    ///
    /// # Errors
    /// The events or the devices can no longer be watched.
    pub async fn wait(&mut self, mut record: impl FnMut(Record)) -> Result<End, EngineError> {
        loop {
            tokio::select! {
                _ = self.tick.tick() => {
                    if let Some(end) = self.turn()? {
                        return Ok(end);
                    }
                }
                ready = self.news.readable() => {
                    let mut ready = ready.map_err(EngineError::Events)?;
                    // A target can be faster than we write; the lease and signals have their turn all the same.
                    let mut left = BATCH;
                    while left > 0 && let Some(item) = self.ring.next() {
                        Record::read(&item, &self.texts).into_iter().for_each(&mut record);
                        left -= 1;
                    }
                    if left > 0 {
                        ready.clear_ready();
                    } else {
                        drop(ready);
                        // Without this the runtime looks at its clock and at signals once in 128 batches only
                        // (its budget for a task), by when a lease can have run out.
                        tokio::task::yield_now().await;
                    }
                }
                changes = device_changes(self.coverage.as_mut()) => note_devices(&mut self.notes, changes),
            }
        }
    }

    /// What is due twice a second: the lease, the deadline, the targets.
    fn turn(&mut self) -> Result<Option<End>, EngineError> {
        let now = clock::now();
        let shared = self.installation.shared();
        if shared.deadline.load(Relaxed) == 0 {
            return Ok(Some(End::Stopped));
        }
        if now >= self.deadline {
            return Ok(Some(End::Deadline));
        }
        shared.lease.store(now + LEASE_NS, Relaxed);
        if let Err(lost) = self.installation.tend_naps(TICK) {
            self.aborted = Some(lost.to_string());
            return Ok(Some(End::DelaysLost(lost)));
        }
        let events = self.look_at_devices()?;
        note_devices(&mut self.notes, events);
        self.serve();
        Ok(self.targets_gone().then_some(End::TargetsGone))
    }

    /// Notes targets that went away; true when none is left.
    fn targets_gone(&mut self) -> bool {
        let tree_lives = self.installation.shared().live.load(Relaxed) > 0;
        for (number, target) in self.targets.iter().enumerate() {
            let gone = match target {
                Target::Process(_) => target.is_gone() && !tree_lives,
                Target::Cgroup(_) => target.is_gone(),
            };
            if gone && self.gone.insert(number) {
                self.notes.push(format!("the target {} went away", target.describe()));
            }
        }
        self.gone.len() == self.targets.len()
    }

    /// All rules with their counters as they are now, by number; those that a change has removed as well.
    ///
    /// # Errors
    /// The counters cannot be read.
    pub fn rules(&self) -> Result<Vec<RuleReport>, EngineError> {
        let live: BTreeSet<_> = self.plan.rules.iter().map(|rule| rule.number).collect();
        let report = |(text, number): (&String, u32)| {
            let counters = self.installation.counters(number)?;
            let traffic = self.installation.traffic(number)?;
            let queue = if self.plan.packets { self.installation.queue(number)? } else { Queue::default() };
            Ok(RuleReport::new(number, text, &counters, !live.contains(&number)).with(traffic, &queue))
        };
        self.texts.iter().zip(0..).map(report).collect()
    }

    /// What the user ought to know, the plan's own notes first, and then as it comes.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Ends the faults, takes the programs off, hands out the last events and reports. `stays`: will this process go
    /// on for long? Else some of it is left to the kernel, which does it when the process has ended.
    ///
    /// # Errors
    /// The counters cannot be read.
    pub fn finish(mut self, stays: bool, mut record: impl FnMut(Record)) -> Result<Report, EngineError> {
        self.installation.shared().deadline.store(0, Relaxed);
        let skipped = self.installation.misses().into_iter().collect();
        let mut clean = true;
        match self.coverage.take().map(Coverage::remove).transpose() {
            Ok(left) => self.notes.extend(left.filter(|&left| left > 0).map(lost_at_the_end)),
            Err(error) => {
                clean = false;
                self.notes.push(format!("clean-up is incomplete: {error}"));
            }
        }
        self.installation.detach(stays);
        while let Some(item) = self.ring.next() {
            Record::read(&item, &self.texts).into_iter().for_each(&mut record);
        }
        let rules = self.rules()?;
        let shared = self.installation.shared();
        Ok(Report {
            schema: injector_common::event::SCHEMA,
            plan: format!("{:08x}", self.plan.id),
            seed: self.plan.options.seed,
            monitor: self.plan.options.monitor,
            rules,
            skipped,
            lost_events: shared.lost_events.load(Relaxed),
            lost_cgroups: shared.lost_cgroups.load(Relaxed),
            delays: self.installation.shortfall(),
            aborted: self.aborted.take(),
            clean,
            notes: std::mem::take(&mut self.notes),
        })
    }
}

pub(super) fn lost_at_the_end(packets: u32) -> String {
    format!("{packets} packets were still in the delay line at the end, and are lost")
}

/// The processes of all targets, as far as they can be listed.
pub(super) fn listed(targets: &[Target]) -> Vec<u32> {
    targets.iter().filter_map(|target| target.pids().ok()).flatten().collect()
}
