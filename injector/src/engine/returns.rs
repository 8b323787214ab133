//! Targets that go away and come back under their names, in a live plan: noted, and met again.

use std::{
    cmp::Reverse,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use crate::{
    engine::{error::EngineError, live::Live, permission},
    faults::fault::Scene,
    kernel::running::RunningKernel,
    target::{Hierarchy, Procfs, Target, TargetError},
};

impl Live {
    /// Notes targets that went away, and meets those again that are back; true when there are none and none returns.
    pub(super) fn look_at_targets(&mut self) -> bool {
        self.presence.look_for_processes(&self.targets);
        let tree_lives = self.faults.services().handle.state().live.load(Relaxed) > 0;
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
        let target = Target::Cgroup(cgroup);
        permission::check_target(&self.policy, &self.plan, &target, &Procfs::default())?;
        if let Some(cgroup) = target.as_cgroup() {
            self.faults.bpf.meet_again(&self.plan, &self.targets, number, cgroup)?;
        }
        self.targets[number] = target;
        let plan = Arc::clone(&self.plan);
        let kernel = RunningKernel::default();
        let scene = Scene { kernel: &kernel, targets: &self.targets, acting: Some(&plan) };
        self.faults.follow(&plan, scene)?;
        Ok(true)
    }
}
