//! The options on what is told of a plan and to whom: the log, the report, what is expected of it, and who waits for it
//! to act.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use injector::engine::{Expectation, Report, Unmet};

use crate::cli::{exit::Failure, ready::ReadyFd};

/// The file that stands for a stream of ours.
pub(super) const STREAM: &str = "-";

/// What is told of a plan.
#[derive(Args, Debug)]
#[command(next_help_heading = "Report")]
pub(super) struct Outcome {
    /// Write one JSON line per injection to this file, or to stdout for `-` (under `run` to stderr)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) log: Option<PathBuf>,
    /// Print the closing report as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Write the closing report as JSON to this file, whatever is printed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) report: Option<PathBuf>,
    /// Fail if a rule never fired: exit code 1, under `run` 125 if the command itself ended with 0
    #[arg(long)]
    pub(super) expect_fired: bool,
    /// Fail if any rule fired; exit codes as for --expect-fired
    #[arg(long)]
    pub(super) expect_not_fired: bool,
    /// Fail unless a counter of the report compares so: '[rule N] fired|matched|suppressed OP NUMBER'
    ///
    /// OP is any of >= <= > < = !=. Without a rule it is about all of them together. May be given more than once.
    /// Example: --expect 'rule 0 fired>=3'
    #[arg(long, value_name = "EXPECTATION")]
    pub(super) expect: Vec<Expectation>,
    /// Write the plan's id and a newline to this descriptor when the rules are in place, and close it
    #[arg(long, value_name = "N")]
    pub(super) ready_fd: Option<ReadyFd>,
}

/// What of the expectations a report does not meet.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Rules that never fired, if all were to.
    pub(super) idle: Vec<u32>,
    /// Other expectations.
    pub(super) unmet: Vec<Unmet>,
}

impl Verdict {
    pub(super) fn is_met(&self) -> bool {
        self.idle.is_empty() && self.unmet.is_empty()
    }
}

impl Outcome {
    /// Are there two that would write to the same stream?
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.json && self.log_is_stream() {
            return Err(Failure::usage(
                "--log - and --json would both write to one stream",
                "name a file for the log, or use --report FILE in place of --json",
            ));
        }
        Ok(())
    }

    /// Is the log to go to a stream of ours?
    pub(super) fn log_is_stream(&self) -> bool {
        self.log.as_deref().is_some_and(|path| path == STREAM)
    }

    /// What becomes of the expectations; `None` where there are none.
    pub(super) fn verdict(&self, report: &Report) -> Option<Verdict> {
        if !self.expect_fired && !self.expect_not_fired && self.expect.is_empty() {
            return None;
        }
        let idle = report.idle().map(|rule| rule.rule).filter(|_| self.expect_fired);
        let none = Expectation::NOT_FIRED;
        let not_fired = self.expect_not_fired.then_some(&none);
        let unmet = self.expect.iter().chain(not_fired).filter_map(|expectation| expectation.unmet(report));
        Some(Verdict { idle: idle.collect(), unmet: unmet.collect() })
    }
}
