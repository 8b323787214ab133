//! Which targets are there. A cgroup is meant by its path, or by the name of whoever lives in it, for as long as the plan
//! lives: one that was removed and is made again is met again, unless it was meant for once. A process is meant itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    engine::{Start, watch::Watch},
    plan::Options,
    target::{Cgroup, Target},
};

/// Which targets exist right now. A target goes by its index in the list.
#[derive(Debug)]
pub(super) struct Presence {
    pub(super) watch: Option<Watch>,
    /// Does a target come back?
    pub(super) returning: bool,
    /// When the rules began.
    pub(super) start: Start,
    pub(super) gone: BTreeSet<usize>,
    pub(super) returns: BTreeMap<usize, u64>,
    /// Cgroups in which a process was seen.
    inhabited: BTreeSet<usize>,
    /// What went wrong last when a target came back, so that it is said once.
    pub(super) failure: String,
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
            start,
            gone: BTreeSet::new(),
            returns: BTreeMap::new(),
            inhabited: BTreeSet::new(),
            failure: String::new(),
        }
    }

    /// Is it of interest whether anybody lives in a target? Not in the cgroup of a command.
    fn is_asked(&self) -> bool {
        self.start == Start::Now
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
            self.is_asked() && target.as_cgroup().is_some() && !self.inhabited.contains(&number)
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
    pub(super) fn look_for_processes(&mut self, targets: &[Target]) {
        if !self.is_asked() {
            return;
        }
        for (number, target) in targets.iter().enumerate() {
            if !self.inhabited.contains(&number) && target.as_cgroup().is_some_and(Cgroup::is_populated) {
                self.inhabited.insert(number);
            }
        }
    }
}
