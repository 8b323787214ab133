//! The live plan. As long as the guard lives the rules act; dropping it takes everything back.
//!
//! It hands out events, keeps the lease and watches the deadline, whatever else goes on: the plan itself is looked
//! after by a thread ([`super::worker`]), to which it goes twice a second and from which it comes back.

use std::{
    collections::BTreeSet,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use aya::maps::{MapData, RingBuf};
use injector_common::{
    queue::Queue,
    shared::{ADOPTS, ARMS, LEASE_NS},
};
use tokio::{
    io::unix::AsyncFd,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Interval, MissedTickBehavior, interval},
};

use crate::{
    clock,
    engine::{
        End, EngineError, Start,
        called::Called,
        events::Record,
        listed::Listed,
        live::{Live, TICK, Texts},
        presence::Presence,
        privileges::Duties,
        report::{Report, RuleReport},
        watch::{Watch, moved},
        worker::{Turn, Worker},
    },
    faults::{Faults, bpf::BpfFaults, deed::Deed},
    kernel::{
        installation::{Handle, Readings},
        rights::{self, Ceiling},
        running::RunningKernel,
    },
    plan::Plan,
    policy::Policy,
    readable::readable,
    target::Target,
};

/// How often it is looked whether somebody has stopped the plan: one load from memory.
const LOOK: Duration = Duration::from_millis(50);

/// How long a turn may keep the lease: one that hangs loses it.
const LONGEST_TURN: Duration = Duration::from_mins(1);

/// Events that are handed out in one go.
const BATCH: usize = 256;

/// A live plan: it acts as long as this value lives, and dropping it takes everything back.
pub struct Guard {
    /// Here, or away for a turn.
    live: Option<Box<Live>>,
    away_since: Instant,
    worker: Worker,
    ceiling: Ceiling,
    /// As they were when the plan was last here.
    pub(super) plan: Arc<Plan>,
    notes: Vec<String>,
    texts: Texts,
    handle: Handle,
    readings: Readings,
    called: Called,
    ring: RingBuf<MapData>,
    /// The ring buffer's descriptor once more: readable when there are events.
    news: AsyncFd<OwnedFd>,
    /// What was done in user space.
    deeds: UnboundedReceiver<Deed>,
    /// Readable when a target cgroup may have come or gone.
    moves: Option<AsyncFd<OwnedFd>>,
    tick: Interval,
    look: Interval,
}

impl Guard {
    pub(super) fn start(
        plan: Plan,
        targets: Vec<Target>,
        policy: Policy,
        kernel: &RunningKernel,
        bpf: BpfFaults,
        start: Start,
    ) -> Result<Self, EngineError> {
        let now = clock::now();
        let length = plan.options.duration.map_or(u64::MAX, clock::nanoseconds);
        let deadline = match start {
            Start::Now => now.saturating_add(length),
            // Said by the command's execve: what it takes to get there is not taken off.
            Start::AtExec | Start::WhenTold => u64::MAX,
        };
        let handle = bpf.handle().clone();
        let shared = handle.state();
        shared.lease.store(now + LEASE_NS, Relaxed);
        shared.length.store(length, Relaxed);
        shared.deadline.store(deadline, Relaxed);
        let listed = Listed::begin(&plan, &targets, now, kernel.procfs(), &handle)?;
        let (ring, readings) = (bpf.events()?, bpf.readings()?);
        let news = ring.as_fd().try_clone_to_owned().and_then(readable).map_err(EngineError::Events)?;
        let [tick, look] = [TICK, LOOK].map(|period| {
            let mut interval = interval(period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        let called = Called::of(&targets);
        let presence = Presence::of(&targets, &plan.options, start);
        let moves = presence.watch().map(Watch::news).transpose().map_err(EngineError::Events)?;
        let (deed, deeds) = unbounded_channel();
        let faults = Faults::new(bpf, deed);
        let mut live = Box::new(Live::new(plan, targets, policy, presence, faults, listed));
        live.start(kernel)?;
        let ceiling = live.faults.services().ceiling.clone();
        let guard = Self {
            away_since: Instant::now(),
            worker: Worker::start(ceiling.clone()).map_err(EngineError::Worker)?,
            ceiling,
            plan: Arc::clone(&live.plan),
            notes: live.notes.clone(),
            texts: live.texts.clone(),
            live: Some(live),
            handle,
            readings,
            called,
            ring,
            news,
            deeds,
            moves,
            tick,
            look,
        };
        match start {
            Start::Now => guard.handle.state().armed.store(1, Relaxed),
            Start::AtExec => guard.handle.state().arm_at_exec.store(ARMS, Relaxed),
            Start::WhenTold => guard.handle.state().arm_at_exec.store(ADOPTS, Relaxed),
        }
        Ok(guard)
    }

    /// Has the rules begin to act, if the plan was applied with [`Start::WhenTold`]; its time begins, unless it was stopped
    /// before.
    pub fn begin(&self) {
        let state = self.handle.state();
        let deadline = clock::now().saturating_add(state.length.load(Relaxed));
        let _ = state.deadline.compare_exchange(u64::MAX, deadline, Relaxed, Relaxed);
        state.armed.store(1, Relaxed);
    }

    /// Has this process keep only the capabilities that the plan still needs until its end, which depends on whether it may
    /// be changed ([`Options::fixed`](crate::plan::Options::fixed)): the thread that calls this at once, those of the plan
    /// some milliseconds later. Other threads of the process keep theirs. Only who has `CAP_SYS_PTRACE` traces the process
    /// then, and it leaves no core. It cannot be taken back, and programs that this thread executes have no others either,
    /// so it is for a process that has nothing else to do. What could not be given up is noted.
    pub fn give_up_privileges(&mut self) {
        let ceiling = self.ceiling.clone();
        let Ok(live) = self.live() else { return };
        let rights = Duties::of(&live.plan, &live.targets, &live.presence).rights();
        ceiling.lower(rights);
        if let Err(error) = rights::keep_in_process(rights) {
            live.notes.push(rights::kept_by("injector", &error));
        }
        // The worker does the same at its next turn, which is now.
        live.hurry = true;
        if let Err(error) = self.keep() {
            tracing::warn!(%error, "the first turn of a plan");
        }
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
                _ = self.look.tick() => {
                    if let Some(end) = self.over() {
                        return Ok(end);
                    }
                }
                _ = self.tick.tick() => self.keep()?,
                done = self.worker.done(), if self.live.is_none() => {
                    let (live, turn) = done.ok_or_else(worker_is_gone)?;
                    if let Some(end) = self.back(live, turn)? {
                        return Ok(end);
                    }
                }
                ready = self.news.readable() => {
                    let mut ready = ready.map_err(EngineError::Events)?;
                    // A target can be faster than we write; the lease and signals have their turn all the same.
                    let mut left = BATCH;
                    while left > 0 && let Some(item) = self.ring.next() {
                        let read = self.texts.read(|texts| Record::read(&item, texts));
                        read.map(|read| self.called.name(read, &self.readings)).into_iter().for_each(&mut record);
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
                Some(deed) = self.deeds.recv() => {
                    record(self.texts.read(|texts| Record::of(&deed, self.plan.id, texts)));
                }
                moved = moved(self.moves.as_ref()), if self.live.is_some() => {
                    moved.map_err(EngineError::Events)?;
                    if let Some(live) = &mut self.live {
                        live.hurry = true;
                    }
                    self.keep()?;
                }
                () = device_changes(self.live.as_deref_mut()) => {}
            }
        }
    }

    /// Was it stopped, or is its time up?
    fn over(&self) -> Option<End> {
        match self.handle.state().deadline.load(Relaxed) {
            0 => Some(End::Stopped),
            deadline => (clock::now() >= deadline).then_some(End::Deadline),
        }
    }

    /// Renews the lease, and has the plan looked after.
    fn keep(&mut self) -> Result<(), EngineError> {
        match self.live.take() {
            Some(live) => {
                self.away_since = Instant::now();
                // In the thread's own time it is dropped with what it was about.
                self.worker.begin(live).map_err(|live| {
                    self.live = Some(live);
                    worker_is_gone()
                })?;
            }
            None if self.away_since.elapsed() >= LONGEST_TURN => return Ok(()),
            None => {}
        }
        self.handle.state().lease.store(clock::now() + LEASE_NS, Relaxed);
        Ok(())
    }

    /// The plan is here again.
    fn back(&mut self, live: Box<Live>, turn: Turn) -> Turn {
        self.live = Some(live);
        self.refresh();
        turn
    }

    /// Takes note of what has become of the plan, if it is here.
    pub(super) fn refresh(&mut self) {
        let Some(live) = &self.live else { return };
        self.plan = Arc::clone(&live.plan);
        self.notes.extend_from_slice(live.notes.get(self.notes.len()..).unwrap_or_default());
    }

    /// The plan, which is waited for if it is away.
    pub(super) fn live(&mut self) -> Result<&mut Live, EngineError> {
        if self.live.is_none() {
            let (live, turn) = self.worker.join().ok_or_else(worker_is_gone)?;
            if let Err(error) = self.back(live, turn) {
                tracing::warn!(%error, "the last turn of a plan");
            }
        }
        self.live.as_deref_mut().ok_or_else(worker_is_gone)
    }

    /// All rules with their counters as they are now, by number; those that a change has removed as well.
    ///
    /// # Errors
    /// The counters cannot be read.
    pub fn rules(&self) -> Result<Vec<RuleReport>, EngineError> {
        let live: BTreeSet<_> = self.plan.rules.iter().map(|rule| rule.number).collect();
        let report = |(text, number): (&String, u32)| {
            let counters = self.readings.counters(number)?;
            let traffic = self.readings.traffic(number)?;
            let queue = if self.plan.packets { self.readings.queue(number)? } else { Queue::default() };
            Ok(RuleReport::new(number, text, &counters, !live.contains(&number)).with(traffic, &queue))
        };
        // A change that is under way may have brought more.
        let known = self.plan.next_number as usize;
        self.texts.read(|texts| texts.iter().take(known).zip(0..).map(report).collect())
    }

    /// Switches a rule off (`paused`) or on again, by one store: what is decided after the moment that comes back, in
    /// nanoseconds of `CLOCK_BOOTTIME`, is decided by that. A rule that is off counts what it matches. `None` if the plan
    /// has no rule of that number.
    pub fn pause(&self, rule: u32, paused: bool) -> Option<u64> {
        self.plan
            .rules
            .iter()
            .any(|known| known.number == rule)
            .then(|| self.handle.state().pause(rule, paused))
    }

    /// Switches off the rules by which processes stand still, for whoever has something to tell them. They go on within
    /// some milliseconds.
    pub fn end_pauses(&self) {
        for rule in self.plan.rules.iter().filter(|rule| rule.pauses()) {
            self.handle.state().pause(rule.number, true);
        }
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
        self.handle.state().deadline.store(0, Relaxed);
        let live = self.live()?;
        let skipped = live.faults.bpf.misses().into_iter().collect();
        let (notes, clean) = live.faults.stop(stays);
        live.notes.extend(notes);
        let (delays, aborted) = (live.faults.bpf.shortfall(), live.aborted.take());
        let returns = live.presence.returns(&live.targets);
        let empty = live.presence.never_inhabited(&live.targets);
        let mut notes = std::mem::take(&mut live.notes);
        while let Some(item) = self.ring.next() {
            let read = self.texts.read(|texts| Record::read(&item, texts));
            read.map(|read| self.called.name(read, &self.readings)).into_iter().for_each(&mut record);
        }
        while let Ok(deed) = self.deeds.try_recv() {
            record(self.texts.read(|texts| Record::of(&deed, self.plan.id, texts)));
        }
        let rules = self.rules()?;
        if rules.iter().all(|rule| rule.matched == 0) {
            notes.extend(empty);
        }
        Ok(Report {
            schema: injector_common::event::SCHEMA,
            plan: self.plan.typed_id(),
            seed: self.plan.options.seed,
            monitor: self.plan.options.monitor,
            rules,
            skipped,
            lost_events: self.handle.state().lost_events.load(Relaxed),
            lost_cgroups: self.handle.state().lost_cgroups.load(Relaxed),
            returns,
            delays,
            aborted,
            clean,
            notes,
        })
    }
}

impl Drop for Guard {
    /// The faults end at once, and what a turn is about is taken back with the rest.
    fn drop(&mut self) {
        self.handle.state().deadline.store(0, Relaxed);
        if self.live.is_none() {
            drop(self.worker.join());
        }
    }
}

fn worker_is_gone() -> EngineError {
    EngineError::Worker(std::io::ErrorKind::BrokenPipe.into())
}

/// Has devices that come be covered, as long as the plan is here.
async fn device_changes(live: Option<&mut Live>) {
    match live {
        Some(live) => live.faults.bpf.follow_devices().await,
        None => std::future::pending().await,
    }
}
