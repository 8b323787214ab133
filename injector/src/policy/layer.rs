//! What kinds of rules there are, as a policy calls them.

use serde::{Deserialize, Serialize};

use crate::spec::{model::RuleKind, user_space::UserSpaceRule};

/// What rules act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// System calls: `--syscall`, `-e inject=`.
    Calls,
    /// Operations: `--io`.
    Io,
    /// Packets and connections: `--net`.
    Net,
    /// Processes: `--process`.
    Process,
}

impl Layer {
    /// That of a rule.
    pub const fn of(rule: &RuleKind) -> Self {
        match rule {
            RuleKind::Syscall(_) => Self::Calls,
            RuleKind::Operation(_) => Self::Io,
            RuleKind::Net(_) => Self::Net,
            RuleKind::UserSpace(UserSpaceRule::Process(_)) => Self::Process,
        }
    }

    /// As a policy has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Io => "io",
            Self::Net => "net",
            Self::Process => "process",
        }
    }
}
