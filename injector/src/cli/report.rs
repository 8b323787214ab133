//! The report as the command line tells it: the engine's own, whether what the user expected has happened, and the
//! command's exit code.

use std::fmt;

use injector::engine::Report;
use serde::Serialize;

use crate::cli::{arguments::Behaviour, exit::Failure, output};

/// The report of `--json`.
#[derive(Debug, Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// Where something was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'a Expected>,
    /// The command's own exit code, under `run`.
    #[serde(rename = "command_code", skip_serializing_if = "Option::is_none")]
    command: Option<i32>,
}

/// Tells it; so many notes were told before. Under `run`, whose `command` ended with that code, all goes to stderr:
/// stdout is the command's.
pub(super) fn tell(
    report: &Report,
    behaviour: &Behaviour,
    told: usize,
    command: Option<i32>,
) -> Result<(), Failure> {
    let expected = Expected::of(report, behaviour);
    let written = if behaviour.json {
        let whole = Told { report, expected: expected.as_ref(), command };
        let written = if command.is_some() { output::json_aside(&whole) } else { output::print_json(&whole) };
        output::warnings(report, told);
        written
    } else {
        output::report(report, told)
    };
    if let Some(missed) = expected.filter(|expected| !expected.met) {
        let own = command.filter(|&code| code != 0);
        let own = own.map(|code| format!("; the exit code is the command's own, {code}")).unwrap_or_default();
        output::note(format_args!("error: {missed}{own}"));
    }
    written
}

/// What became of `--expect-fired`.
#[derive(Debug, Serialize)]
struct Expected {
    met: bool,
    /// Rules that never fired.
    idle: Vec<u32>,
}

impl Expected {
    /// `None` where nothing was expected.
    fn of(report: &Report, behaviour: &Behaviour) -> Option<Self> {
        let idle: Vec<_> = report.idle().map(|rule| rule.rule).collect();
        behaviour.expect_fired.then_some(Self { met: idle.is_empty(), idle })
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
