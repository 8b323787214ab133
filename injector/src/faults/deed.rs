//! What a fault has done, for the log.

use std::time::Duration;

use crate::{plan::unsupported::Mechanism, spec::signal::Signal};

/// Something that was done in user space.
#[derive(Clone, Debug)]
pub struct Deed {
    /// When: `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    /// The rule's number.
    pub rule: u32,
    /// By which means.
    pub mechanism: Mechanism,
    /// The target, in words.
    pub target: String,
    /// The number of the target's cgroup; 0 for a process tree.
    pub cgroup: u64,
    /// The number of the round, as `when=` counts it.
    pub round: u64,
    /// What.
    pub what: What,
}

/// What was done.
#[derive(Clone, Debug)]
pub enum What {
    /// All of the target were made to stand still.
    Paused {
        /// For so long; `None` for as long as the rule lasts.
        length: Option<Duration>,
    },
    /// A process was sent a signal.
    Signalled {
        /// Which.
        signal: Signal,
        /// Its number, in the injector's pid namespace.
        pid: u32,
        /// Its name.
        comm: String,
    },
}
