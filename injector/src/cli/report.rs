//! The report as the command line tells it: the engine's own, whether what the user expected has happened, and the
//! command's exit code.

use std::fmt;

use serde::Serialize;

use super::arguments::Behaviour;
use crate::engine::Report;

/// The report of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    #[serde(flatten)]
    pub(super) report: &'a Report,
    /// Where something was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expected: Option<Expected>,
    /// The command's own exit code, under `run`.
    #[serde(rename = "command_code", skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<i32>,
}

/// What became of `--expect-fired`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Expected {
    met: bool,
    /// Rules that never fired.
    idle: Vec<u32>,
}

impl Expected {
    /// `None` where nothing was expected.
    pub(super) fn of(report: &Report, behaviour: &Behaviour) -> Option<Self> {
        let idle: Vec<_> = report.idle().map(|rule| rule.rule).collect();
        behaviour.expect_fired.then_some(Self { met: idle.is_empty(), idle })
    }

    pub(super) fn is_met(&self) -> bool {
        self.met
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.idle.iter().map(ToString::to_string).collect();
        match &numbers[..] {
            [] => f.write_str("all rules have fired"),
            [number] => write!(f, "--expect-fired: rule {number} never fired"),
            _ => write!(f, "--expect-fired: rules {} never fired", numbers.join(", ")),
        }
    }
}
