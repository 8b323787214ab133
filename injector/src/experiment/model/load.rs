//! What is asked of the system all the while: operations at a fixed rate, whether or not the ones before are answered.

use std::{ops::RangeInclusive, time::Duration};

use regex::bytes::Regex;

use crate::experiment::model::{CommandLine, HttpRequest};

/// A load. Operation k is due at t0 + k / rate, and its latency counts from then: a system that stalls cannot hide it
/// (coordinated omission).
#[derive(Clone, Debug)]
pub struct Load {
    /// What an operation is.
    pub kind: LoadKind,
    /// Operations per second; of a `command`, what it is expected to report. 10.
    pub rate: f64,
    /// An operation fails when it takes longer, and counts with this time. 5 s.
    pub timeout: Duration,
    /// More operations do not run at once; those that are due then wait, and their time runs. 100.
    pub at_once: usize,
    /// The service in whose network namespace it is made; in the lab's own if there is none.
    pub inside: Option<String>,
    /// What makes an operation good.
    pub expect: Expect,
    /// The share of good operations that is promised, from which `burn` is counted: 0.995.
    pub slo: Option<f64>,
}

/// What an operation of a load is.
#[derive(Clone, Debug)]
pub enum LoadKind {
    /// A request.
    Http(HttpRequest),
    /// A command for each; `${n}` in it is the operation's number.
    Each(CommandLine),
    /// One command that runs all the while and prints a line for each operation.
    Command {
        /// What is run.
        command: CommandLine,
        /// How its lines are read.
        figures: Figures,
    },
}

/// How the lines of a load's command are read.
#[derive(Clone, Debug)]
pub enum Figures {
    /// `vegeta encode --to json`.
    Vegeta,
    /// `k6 run --out json=-`.
    K6,
    /// Named groups `time` (seconds since 1970 or RFC 3339), `latency` (seconds, or with a unit), `ok`.
    Lines(Regex),
}

/// What makes a sample good. All of what is said must be so.
#[derive(Clone, Debug)]
pub struct Expect {
    /// Statuses of HTTP. 100 to 399.
    pub status: RangeInclusive<u16>,
    /// The exit code of a command. 0.
    pub exit: i32,
    /// In the body or the output.
    pub matches: Option<Regex>,
    /// Of the body or the output.
    pub json: Option<JsonExpect>,
    /// It took no longer.
    pub within: Option<Duration>,
}

impl Default for Expect {
    fn default() -> Self {
        Self { status: 100..=399, exit: 0, matches: None, json: None, within: None }
    }
}

/// A value that a JSON text must have.
#[derive(Clone, Debug)]
pub struct JsonExpect {
    /// Where (RFC 9535).
    pub path: serde_json_path::JsonPath,
    /// What is there; anything if there is none.
    pub equals: Option<serde_json::Value>,
}
