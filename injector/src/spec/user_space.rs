//! Rules that no program in the kernel carries out, but the injector's own process: one variant for each layer. Whatever
//! is asked of rules in the kernel is not asked of these, so that a new layer is a grammar, a variant here and an
//! implementor of [`crate::faults::fault::Fault`].

use std::fmt;

use crate::spec::process::model::ProcessRule;

/// A rule that user space carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserSpaceRule {
    /// Processes that stand still or get a signal: `--process`.
    Process(ProcessRule),
}

impl UserSpaceRule {
    /// The word that introduces it behind `-e`.
    pub fn qualifier(&self) -> &'static str {
        match self {
            Self::Process(_) => "process",
        }
    }
}

impl fmt::Display for UserSpaceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(rule) => rule.fmt(f),
        }
    }
}
