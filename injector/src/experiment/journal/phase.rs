//! The phases of a run, in their order.

use serde::{Deserialize, Serialize};

/// The phases, in their order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The lab is built.
    Prepare,
    /// Loads and probes run; the steady state must hold.
    Before,
    /// The steps of the method; conditions `during` are judged.
    During,
    /// The faults are off; until the steady state has held for `settle`.
    Recovery,
    /// Conditions `after` are judged.
    After,
    /// The rollback's actions.
    Rollback,
    /// The steady state once more.
    Verify,
    /// Everything is taken down.
    Stop,
}

impl Phase {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Before => "before",
            Self::During => "during",
            Self::Recovery => "recovery",
            Self::After => "after",
            Self::Rollback => "rollback",
            Self::Verify => "verify",
            Self::Stop => "stop",
        }
    }
}
