//! What a probe needs to know of the run around it.

use std::path::PathBuf;

use crate::engine::Counter;

/// The run, as probes see it.
pub trait Surroundings: Send + Sync {
    /// The file with the output of a service of the lab; none if there is no such service.
    fn log_of(&self, service: &str) -> Option<PathBuf>;

    /// The folder of a target's cgroup; none if there is no such target, or it has none at present.
    fn cgroup_of(&self, target: &str) -> Option<PathBuf>;

    /// What the rules of a fault have counted together so far, 0 before it first acts; none if there is no such fault.
    fn counter(&self, fault: &str, counter: Counter) -> Option<u64>;
}
