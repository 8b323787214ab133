//! Which targets are there. A cgroup is meant by its path, or by the name of whoever lives in it, for as long as the plan
//! lives: one that was removed and is made again is met again, unless it was meant for once. A process is meant itself.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    os::fd::AsFd as _,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use crate::{
    engine::{EngineError, Start, apply::add_tree, live::Live, watch::Watch},
    kernel::installation::cgroups::Whose,
    plan::Options,
    target::{Cgroup, Hierarchy, Procfs, Target, TargetError},
};

/// Which targets exist right now. A target goes by its index in the list.
#[derive(Debug)]
pub(super) struct Presence {
    watch: Option<Watch>,
    /// Does a target come back?
    returning: bool,
    /// Is it of interest whether anybody lives in a target? Not in the cgroup of a command.
    asked: bool,
    gone: BTreeSet<usize>,
    returns: BTreeMap<usize, u64>,
    /// Cgroups in which a process was seen.
    inhabited: BTreeSet<usize>,
    /// What went wrong last when a target came back, so that it is said once.
    failure: String,
}

impl Presence {
    pub(super) fn of(targets: &[Target], options: &Options, start: Start) -> Self {
        let mut cgroups = targets.iter().filter_map(Target::as_cgroup).peekable();
        let returning = !options.once && cgroups.peek().is_some();
        let watch = returning.then(Watch::begin).flatten();
        if let Some(watch) = &watch {
            cgroups.for_each(|cgroup| watch.watch(cgroup.path()));
        }
        Self {
            watch,
            returning,
            asked: start == Start::Now,
            gone: BTreeSet::new(),
            returns: BTreeMap::new(),
            inhabited: BTreeSet::new(),
            failure: String::new(),
        }
    }

    pub(super) fn watch(&self) -> Option<&Watch> {
        self.watch.as_ref()
    }

    /// How often targets came back, by what they are called.
    pub(super) fn returns(&self, targets: &[Target]) -> BTreeMap<String, u64> {
        let named = |(&number, &count): (&usize, &u64)| Some((targets.get(number)?.describe(), count));
        self.returns.iter().filter_map(named).collect()
    }

    /// A note on each cgroup in which nobody was seen.
    pub(super) fn never_inhabited(&self, targets: &[Target]) -> Vec<String> {
        let empty = |&(number, target): &(usize, &Target)| {
            self.asked && target.as_cgroup().is_some() && !self.inhabited.contains(&number)
        };
        let note = |(_, target): (usize, &Target)| {
            format!(
                "the {} had no process whenever injector looked, twice a second: is it the right one? \
                 /proc/PID/cgroup tells where a process is",
                target.describe()
            )
        };
        targets.iter().enumerate().filter(empty).map(note).collect()
    }

    /// Looks who lives in the cgroups in which nobody was seen so far.
    fn look_for_processes(&mut self, targets: &[Target]) {
        if !self.asked {
            return;
        }
        for (number, target) in targets.iter().enumerate() {
            if !self.inhabited.contains(&number) && target.as_cgroup().is_some_and(Cgroup::is_populated) {
                self.inhabited.insert(number);
            }
        }
    }
}

impl Live {
    /// Notes targets that went away, and meets those again that are back; true when there are none and none returns.
    pub(super) fn look_at_targets(&mut self) -> bool {
        self.presence.look_for_processes(&self.targets);
        let tree_lives = self.installation.shared().live.load(Relaxed) > 0;
        let missing = |(number, target): (usize, &Target)| {
            let gone = target.is_gone() && (target.as_cgroup().is_some() || !tree_lives);
            gone.then_some(number)
        };
        let mut missing: Vec<_> = self.targets.iter().enumerate().filter_map(missing).collect();
        // One below another target first: the other is there by then as well, and what is put at it serves both.
        missing.sort_by_key(|&number| {
            Reverse(self.targets[number].as_cgroup().map(|cgroup| cgroup.path().to_owned()))
        });
        for number in missing {
            self.away(number);
            if self.presence.returning && self.targets[number].as_cgroup().is_some() {
                match self.meet_again(number) {
                    Ok(true) => self.back(number),
                    Ok(false) => {}
                    Err(error) => self.failed(number, &error),
                }
            }
        }
        !self.presence.returning && self.presence.gone.len() == self.targets.len()
    }

    fn away(&mut self, number: usize) {
        let target = &self.targets[number];
        if !self.presence.gone.insert(number) || self.presence.returns.contains_key(&number) {
            return;
        }
        let waits = self.presence.returning && target.as_cgroup().is_some();
        let waits = if waits { "; its rules act again when it comes back" } else { "" };
        self.notes.push(format!("the target {} went away{waits}", target.describe()));
    }

    fn back(&mut self, number: usize) {
        self.presence.gone.remove(&number);
        let count = self.presence.returns.entry(number).or_default();
        *count += 1;
        if *count == 1 {
            self.notes.push(format!(
                "the target {} is back, and its rules act; from now on returns are only counted",
                self.targets[number].describe()
            ));
        }
    }

    fn failed(&mut self, number: usize, error: &EngineError) {
        let failure = format!("the target {} is back, but not met: {error}", self.targets[number].describe());
        if self.presence.failure != failure {
            self.notes.push(failure.clone());
            self.presence.failure = failure;
        }
    }

    /// Meets the cgroup that has the path of a target now; false if there is none.
    fn meet_again(&mut self, number: usize) -> Result<bool, EngineError> {
        let Some(old) = self.targets[number].as_cgroup() else { return Ok(false) };
        // First, so that one that comes after the look wakes us.
        if let Some(watch) = self.presence.watch() {
            watch.watch(old.path());
            if old.called().is_some() {
                watch.watch_beside(old.path());
            }
        }
        let hierarchy = Hierarchy::discover(&Procfs::default()).map_err(TargetError::from)?;
        let Some(cgroup) = self.targets[number].successor(&hierarchy)? else { return Ok(false) };
        add_tree(&self.installation, &cgroup, u32::try_from(number).unwrap_or_default())?;
        let above = |(other, target): (usize, &Target)| {
            let live = target.as_cgroup().filter(|above| other != number && !above.is_gone());
            live.is_some_and(|above| cgroup.path().starts_with(above.path()))
        };
        if !self.targets.iter().enumerate().any(above) {
            if self.plan.needs_ingress() {
                self.installation.attach_ingress(Whose::Cgroup, cgroup.as_fd())?;
            }
            if self.plan.needs_connect() {
                self.installation.attach_connect(Whose::Cgroup, cgroup.as_fd())?;
            }
        }
        self.targets[number] = Target::Cgroup(cgroup);
        let plan = Arc::clone(&self.plan);
        self.change_faults(&plan)?;
        Ok(true)
    }
}
