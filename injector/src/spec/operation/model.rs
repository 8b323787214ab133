//! What was asked of operations: the rule that the `--io` grammar yields, and its printed form.

use std::fmt;

use crate::{
    operations::Operation,
    spec::{
        comm::Comm,
        delay::{self, Delay},
        errno::Errno,
        model::Trigger,
        netem::Distribution,
        object::Objects,
    },
};

/// Operations that fail instead of being done, or wait before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationRule {
    /// Which; never empty, none twice, in the order in which they were written.
    pub operations: Vec<&'static Operation>,
    /// What the caller gets; `None` if the operation is done.
    pub error: Option<Errno>,
    /// How long it waits before. One of the two is there.
    pub delay: Option<Delay>,
    /// How its jitter spreads.
    pub distribution: Distribution,
    /// On which files or sockets.
    pub objects: Objects,
    /// By which threads.
    pub comm: Option<Comm>,
    /// Which of those that match.
    pub trigger: Trigger,
}

impl fmt::Display for OperationRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.operations.iter().map(|operation| operation.name).collect();
        f.write_str(&names.join(","))?;
        if let Some(error) = &self.error {
            write!(f, ":error={error}")?;
        }
        if let Some(delay) = &self.delay {
            write!(f, ":delay={delay}")?;
        }
        delay::show(&self.distribution, f)?;
        self.objects.fmt(f)?;
        if let Some(comm) = &self.comm {
            write!(f, ":comm={comm}")?;
        }
        self.trigger.fmt(f)
    }
}
