//! What was asked of operations: the rule that the `--io` grammar yields, and its printed form.

use std::fmt;

use super::super::{errno::Errno, filter::Comm, model::Trigger, object::Objects};
use crate::operations::Operation;

/// Operations that fail instead of being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationRule {
    /// Which; never empty, none twice, in the order in which they were written.
    pub operations: Vec<&'static Operation>,
    /// What the caller gets.
    pub error: Errno,
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
        write!(f, "{}:error={}{}", names.join(","), self.error, self.objects)?;
        if let Some(comm) = &self.comm {
            write!(f, ":comm={comm}")?;
        }
        self.trigger.fmt(f)
    }
}
