//! What probes are told of the run around them.

use std::path::{Path, PathBuf};

use crate::{
    engine::Counter,
    experiment::{
        journal::RuleCounters,
        probe::Surroundings,
        run::{context::Context, targets},
    },
};

impl Surroundings for Context {
    fn log_of(&self, service: &str) -> Option<PathBuf> {
        self.lab.as_ref()?.log(service).ok().map(Path::to_path_buf)
    }

    fn cgroup_of(&self, target: &str) -> Option<PathBuf> {
        if let Some(cgroup) = self.lab.as_ref().and_then(|lab| lab.cgroup(target).ok()) {
            return Some(cgroup);
        }
        let found = targets::find(self.experiment.targets.get(target)?).ok()?;
        found.iter().find_map(|target| target.as_cgroup()).map(|cgroup| cgroup.path().to_path_buf())
    }

    fn counter(&self, fault: &str, counter: Counter) -> Option<u64> {
        let of = |rule: &RuleCounters| match counter {
            Counter::Matched => rule.matched,
            Counter::Fired => rule.fired,
            Counter::Suppressed => rule.matched.saturating_sub(rule.fired),
        };
        Some(self.recorder.ask(|account| account.counters(fault).map(of).sum()))
    }
}
