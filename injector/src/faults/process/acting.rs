//! A rule on processes while its plan lives: which round it is in, who stands still by it, what it has counted. What fires
//! is decided where it is for calls and packets ([`injector_common::decide`]), by the same draws from the seed.

use std::collections::{BTreeMap, BTreeSet};

use injector_common::{
    counters::{Counters, Reason},
    decide::{Decision, Match, Standing, decide, named},
    random::combine,
    rule::Rule as KernelRule,
};

use crate::{
    faults::{
        deed::{Deed, What},
        process::{
            hold::Hold,
            kill, mark,
            rounds::{self, Rounds},
            victims::{self, Spared},
        },
    },
    plan::{PlannedRule, unsupported::Mechanism},
    spec::{
        comm::Comm,
        process::model::{ProcessAction, ProcessRule},
        signal::Signal,
    },
    target::{Cgroup, Process, Target},
};

/// What a look at the rules is about.
pub(super) struct Surroundings<'a> {
    pub(super) plan: u32,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub(super) now: u64,
    pub(super) alive: bool,
    pub(super) monitor: bool,
    /// Whether somebody would undo a pause if the injector died.
    pub(super) guarded: bool,
    pub(super) targets: &'a [Target],
    pub(super) spared: &'a Spared,
    /// The mount point of the hierarchy.
    pub(super) top: &'a std::path::Path,
    /// What was done.
    pub(super) deeds: &'a mut Vec<Deed>,
    /// What went wrong.
    pub(super) notes: &'a mut Vec<String>,
    /// What could not be taken back.
    pub(super) remains: &'a mut Vec<String>,
}

/// A rule.
#[derive(Debug)]
pub(super) struct Acting {
    pub(super) number: u32,
    asked: ProcessRule,
    kernel: KernelRule,
    rounds: Rounds,
    /// When it began to act.
    begun: u64,
    /// The number of the last round that has begun.
    round: u64,
    pause: Option<Pause>,
    pub(super) counters: Counters,
}

/// A pause that has begun.
#[derive(Debug)]
struct Pause {
    /// `None` for one that lasts as long as the rule.
    end: Option<u64>,
    /// The targets that it is for, by number.
    chosen: BTreeSet<usize>,
    holds: BTreeMap<usize, Hold>,
}

impl Acting {
    /// One that begins at `now`.
    pub(super) fn new(rule: &PlannedRule, asked: &ProcessRule, now: u64) -> Self {
        let (comm_mask, comm) = asked.comm.as_ref().map(Comm::bytes).unwrap_or_default();
        Self {
            number: rule.number,
            asked: asked.clone(),
            kernel: KernelRule { comm_mask, comm, ..rule.kernel },
            rounds: Rounds::of(asked),
            begun: now,
            round: 0,
            pause: None,
            counters: Counters::default(),
        }
    }

    /// Does what is due. `paused`: is the rule switched off?
    pub(super) fn look(&mut self, paused: bool, around: &mut Surroundings<'_>) {
        if let Some(end) = self.pause.as_ref().and_then(|pause| pause.end)
            && end <= around.now
        {
            self.let_go(around);
            self.pause = None;
        }
        let round = self.rounds.begun(around.now.saturating_sub(self.begun));
        if round > self.round {
            self.round = round;
            let standing = Standing { alive: around.alive, paused, monitor: around.monitor };
            match self.asked.action {
                ProcessAction::Pause { .. } => self.begin_pause(standing, around),
                ProcessAction::Kill(signal) => self.kill(signal, standing, around),
            }
        }
        let holds = around.alive && !paused && around.guarded;
        if holds { self.keep(around) } else { self.let_go(around) }
    }

    /// When there is something to do next.
    pub(super) fn next(&self) -> Option<u64> {
        let round = self.rounds.begin(self.round + 1).and_then(|begin| self.begun.checked_add(begin));
        let end = self.pause.as_ref().and_then(|pause| pause.end);
        round.into_iter().chain(end).min()
    }

    /// A target is another one now: who stood still there has gone.
    pub(super) fn met_again(&mut self, target: usize) {
        if let Some(pause) = &mut self.pause {
            pause.holds.remove(&target);
        }
    }

    /// Has everybody go on.
    pub(super) fn let_go(&mut self, around: &mut Surroundings<'_>) {
        let holds = self.pause.as_mut().map(|pause| std::mem::take(&mut pause.holds)).unwrap_or_default();
        for (target, hold) in holds {
            if let Err(error) = hold.end() {
                let whom = describe(around.targets, target);
                around.remains.push(format!("the {whom} is still paused: {error}"));
            }
        }
    }

    fn begin_pause(&mut self, standing: Standing, around: &mut Surroundings<'_>) {
        let ProcessAction::Pause { length } = self.asked.action else { return };
        let begin =
            self.rounds.begin(self.round).map_or(around.now, |begin| self.begun.saturating_add(begin));
        let end = rounds::end(begin, length);
        if end.is_some_and(|end| end <= around.now) {
            // Nobody looked while it lasted.
            return;
        }
        self.pause = Some(Pause { end, chosen: BTreeSet::new(), holds: BTreeMap::new() });
        for (number, target) in around.targets.iter().enumerate() {
            if target.is_gone() {
                continue;
            }
            let at = of_target(number, self.round);
            let mut outcome = Ok(None);
            let decision = decide(
                &self.kernel,
                at,
                standing,
                || if is_still(target) { Err(Reason::Overruled) } else { Ok(()) },
                || ticket(&mut self.counters),
            );
            if let Decision::Fires(()) = decision {
                outcome = if around.guarded { hold(target, number, around) } else { Ok(None) };
            }
            let done = match (decision, outcome) {
                (Decision::Fires(()), Err(error)) => {
                    around.notes.push(format!("the {} cannot be paused: {error}", target.describe()));
                    continue;
                }
                (Decision::Fires(()), Ok(Some(hold))) => {
                    if let Some(pause) = &mut self.pause {
                        pause.chosen.insert(number);
                        pause.holds.insert(number, hold);
                    }
                    Ok(())
                }
                // Somebody else was faster, or nobody would undo it.
                (Decision::Fires(()), Ok(None)) => {
                    Err(if around.guarded { Reason::Overruled } else { Reason::Expired })
                }
                (Decision::Monitored(()), _) => Err(Reason::Monitored),
                (Decision::Suppressed(reason), _) => Err(reason),
            };
            self.count(done);
            if done.is_ok() {
                let mechanism = match target {
                    Target::Cgroup(_) => Mechanism::Freezer,
                    Target::Process(_) => Mechanism::Pidfd,
                };
                around.deeds.push(deed(self, mechanism, target, around.now, What::Paused { length }));
            }
        }
    }

    /// Holds those again who were let go in the middle of a pause, or came back.
    fn keep(&mut self, around: &mut Surroundings<'_>) {
        let Some(pause) = &mut self.pause else { return };
        // The warden has undone it, while this process was stopped and the lease had passed.
        pause.holds.retain(|_, hold| hold.is_marked());
        let missing: Vec<_> =
            pause.chosen.iter().copied().filter(|number| !pause.holds.contains_key(number)).collect();
        for number in missing {
            match around.targets.get(number).filter(|target| !target.is_gone()) {
                // It may come back.
                None => {}
                Some(target) => match hold(target, number, around) {
                    Ok(Some(hold)) => _ = pause.holds.insert(number, hold),
                    Ok(None) => _ = pause.chosen.remove(&number),
                    Err(error) => {
                        pause.chosen.remove(&number);
                        around.notes.push(format!("the {} cannot be paused: {error}", target.describe()));
                    }
                },
            }
        }
    }

    fn kill(&mut self, signal: Signal, standing: Standing, around: &mut Surroundings<'_>) {
        for (number, target) in around.targets.iter().enumerate() {
            let all = match victims::of(target, around.spared) {
                Ok(all) => all,
                Err(error) => {
                    around.notes.push(format!("the {} cannot be listed: {error}", target.describe()));
                    continue;
                }
            };
            let meant: Vec<_> =
                all.iter().zip(0_u64..).filter(|(process, _)| self.is_meant(process)).collect();
            let mut chosen = Vec::new();
            for &(process, place) in &meant {
                let at = of_process(number, place, self.round);
                match decide(&self.kernel, at, standing, || Ok(()), || ticket(&mut self.counters)) {
                    Decision::Fires(()) => chosen.push(process),
                    Decision::Monitored(()) => self.count(Err(Reason::Monitored)),
                    Decision::Suppressed(reason) => self.count(Err(reason)),
                }
            }
            if chosen.is_empty() {
                continue;
            }
            let sent = kill::send(signal, target, &chosen, chosen.len() == all.len(), around.spared);
            for error in sent.failed {
                around.notes.push(format!("{signal} cannot be sent: {error}"));
            }
            for process in sent.reached {
                self.count(Ok(()));
                let what = What::Signalled { signal, pid: process.pid(), comm: process.comm().into() };
                around.deeds.push(deed(self, sent.mechanism, target, around.now, what));
            }
        }
    }

    fn is_meant(&self, process: &Process) -> bool {
        let mut name = [0_u8; 16];
        let bytes = process.comm().as_bytes();
        let length = bytes.len().min(15);
        name[..length].copy_from_slice(&bytes[..length]);
        named(&self.kernel, bytemuck::cast(name))
    }

    fn count(&mut self, done: Result<(), Reason>) {
        self.counters.matched += 1;
        match done {
            Ok(()) => self.counters.fired += 1,
            Err(reason) => self.counters.suppressed[reason as usize] += 1,
        }
    }
}

/// What is drawn for in a round: a target.
fn of_target(target: usize, round: u64) -> Match {
    Match { subject: target as u64, object: 0, number: round }
}

/// The same for a process of it by its place, from the eldest on, which is the same in every run of the same program.
fn of_process(target: usize, place: u64, round: u64) -> Match {
    Match { subject: combine(target as u64, place), object: 0, number: round }
}

/// The next number of those that count for `times=`.
fn ticket(counters: &mut Counters) -> u64 {
    let ticket = counters.tickets;
    counters.tickets += 1;
    ticket
}

/// Does it stand still already? A tree's processes are looked at one by one.
fn is_still(target: &Target) -> bool {
    use std::os::fd::AsFd as _;
    target.as_cgroup().is_some_and(|cgroup| mark::is_frozen(cgroup.as_fd()).unwrap_or(false))
}

fn hold(target: &Target, number: usize, around: &Surroundings<'_>) -> Result<Option<Hold>, String> {
    let name = mark::Name::new(around.plan, number);
    match target {
        Target::Cgroup(cgroup) => {
            if let Some(ours) = around.spared.inside(cgroup) {
                return Err(format!("{ours} is in it"));
            }
            Hold::freeze(cgroup, name).map_err(|error| error.to_string())
        }
        Target::Process(tree) => {
            Hold::stop(tree, name, around.top, around.spared).map_err(|error| error.to_string())
        }
    }
}

fn describe(targets: &[Target], number: usize) -> String {
    targets.get(number).map_or_else(String::new, Target::describe)
}

fn deed(rule: &Acting, mechanism: Mechanism, target: &Target, time: u64, what: What) -> Deed {
    let cgroup = target.as_cgroup().map_or(0, Cgroup::id);
    Deed { time, rule: rule.number, mechanism, target: target.describe(), cgroup, round: rule.round, what }
}

#[cfg(test)]
mod tests;
