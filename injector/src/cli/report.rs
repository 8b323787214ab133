//! The report as the command line tells it: the engine's own, with when and how the plan ended, whether what the user
//! expected has happened, and the exit code.

use std::{
    fmt,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use injector::{
    engine::{End, Report, Unmet},
    printable::{self, Printable},
};
use serde::Serialize;

use crate::cli::{
    arguments::Behaviour,
    exit::{Code, Failure},
    outcome::{Outcome, Verdict},
    output, output_file,
};

/// A plan from its beginning on, as its report tells it.
#[derive(Debug)]
pub(super) struct Story {
    name: Option<String>,
    started: SystemTime,
    targets: Vec<String>,
    /// The file of `--report`.
    file: Option<(PathBuf, File)>,
}

/// How it came to its end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    /// By itself.
    Plan(End),
    /// The command of `run` ended.
    Command,
    /// A signal asked for it.
    Signal,
    /// Something failed.
    Failure,
}

impl Ending {
    fn word(self) -> &'static str {
        match self {
            Self::Plan(End::Deadline) => "deadline",
            Self::Plan(End::TargetsGone) => "targets-gone",
            Self::Plan(End::Stopped) => "stopped",
            Self::Plan(End::DelaysLost(_)) => "delays-lost",
            Self::Command => "command-ended",
            Self::Signal => "signal",
            Self::Failure => "failure",
        }
    }
}

/// The report of `--json` and `--report`.
#[derive(Debug, Serialize)]
struct Told<'a> {
    /// Of injector.
    version: &'static str,
    #[serde(flatten)]
    report: &'a Report,
    name: Option<&'a str>,
    targets: &'a [String],
    started: String,
    ended: String,
    ending: &'static str,
    /// Where something was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Expected<'a>>,
    /// The command's own exit code, under `run`.
    #[serde(rename = "command_code", skip_serializing_if = "Option::is_none")]
    command: Option<i32>,
    /// Ours.
    exit_code: Code,
}

/// What became of the expectations.
#[derive(Debug, Serialize)]
struct Expected<'a> {
    met: bool,
    idle: &'a [u32],
    unmet: &'a [Unmet],
}

/// What is known when all is over.
#[derive(Debug)]
pub(super) struct Closing<'a> {
    pub(super) report: &'a Report,
    pub(super) outcome: &'a Outcome,
    /// So many notes were told before.
    pub(super) told: usize,
    pub(super) ending: Ending,
    /// The code of the command under `run`: then all goes to stderr, since stdout is the command's.
    pub(super) command: Option<i32>,
    /// What failed until now.
    pub(super) failed: Option<Code>,
}

impl Story {
    /// Makes the file of `--report`, or empties it.
    pub(super) fn open(behaviour: &Behaviour, targets: Vec<String>) -> Result<Self, Failure> {
        let open = |path: &PathBuf| Ok::<_, Failure>((path.clone(), output_file::create("report", path)?));
        let file = behaviour.outcome.report.as_ref().map(open).transpose()?;
        let name = behaviour.name.as_ref().map(ToString::to_string);
        Ok(Self { name, started: SystemTime::now(), targets, file })
    }

    /// The plan begins now.
    pub(super) fn begins(&mut self) {
        self.started = SystemTime::now();
    }

    /// Tells the end in every way that was asked for, and gives the exit code.
    pub(super) fn close(self, closing: &Closing) -> Code {
        let Closing { report, outcome, .. } = closing;
        let verdict = outcome.verdict(report);
        let own = closing.command.filter(|&code| code != 0);
        let code = closing.code(verdict.as_ref());
        let whole = Told {
            version: env!("CARGO_PKG_VERSION"),
            report,
            name: self.name.as_deref(),
            targets: &self.targets,
            started: time(self.started),
            ended: time(SystemTime::now()),
            ending: closing.ending.word(),
            expected: verdict.as_ref().map(Expected::of),
            command: closing.command,
            exit_code: code,
        };
        let printed = if outcome.json {
            let stderr = closing.command.is_some();
            let written = if stderr { output::json_aside(&whole) } else { output::print_json(&whole) };
            output::warnings(report, closing.told);
            written
        } else {
            output::report(report, closing.told)
        };
        let kept = self.file.map_or(Ok(()), |(path, file)| keep(&path, file, &whole));
        for missed in verdict.iter().flat_map(missed) {
            let own =
                own.map(|code| format!("; the exit code is the command's own, {code}")).unwrap_or_default();
            output::note(format_args!("error: {missed}{own}"));
        }
        let failures: Vec<_> = [printed, kept].into_iter().filter_map(Result::err).collect();
        failures.iter().for_each(output::failure);
        match failures.first() {
            Some(_) if closing.command.is_some() && code.is_ok() => Code::RUN_FAILED,
            Some(failure) if code.is_ok() => failure.code,
            _ => code,
        }
    }
}

impl Closing<'_> {
    /// Under `run` the command's own code stands, whatever becomes of the plan.
    fn code(&self, verdict: Option<&Verdict>) -> Code {
        let met = verdict.is_none_or(Verdict::is_met);
        let ours = output::verdict(self.report);
        let ours = if ours.is_ok() && !met { Code::FAILED } else { ours };
        let ours = if ours.is_ok() { self.failed.unwrap_or(Code::OK) } else { ours };
        match self.command.map(Code::of_command) {
            None => ours,
            Some(code) if code.is_ok() && !ours.is_ok() => Code::RUN_FAILED,
            Some(code) => code,
        }
    }
}

impl<'a> Expected<'a> {
    fn of(verdict: &'a Verdict) -> Self {
        Self { met: verdict.is_met(), idle: &verdict.idle, unmet: &verdict.unmet }
    }
}

/// What was expected in vain, a sentence each.
fn missed(verdict: &Verdict) -> impl Iterator<Item = String> {
    let numbers: Vec<_> = verdict.idle.iter().map(ToString::to_string).collect();
    let idle = match &numbers[..] {
        [] => None,
        [number] => Some(format!("--expect-fired: rule {number} never fired")),
        _ => Some(format!("--expect-fired: rules {} never fired", numbers.join(", "))),
    };
    idle.into_iter().chain(verdict.unmet.iter().map(ToString::to_string))
}

/// Writes the report to its file.
fn keep(path: &Path, mut file: File, whole: &impl Serialize) -> Result<(), Failure> {
    let failure = |error: &dyn fmt::Display| {
        Failure::other(
            format!("cannot write the report {}: {error}", Printable(path.display())),
            "name a file where there is room",
        )
    };
    let text = serde_json::to_string_pretty(whole).map_err(|error| failure(&error))?;
    let text = printable::json(&text) + "\n";
    match file.write_all(text.as_bytes()) {
        Err(error) if !output::is_gone(&error) => {
            // Half a report could be taken for one. A pipe or a device keeps what it has.
            if fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
                let _ = file.set_len(0);
            }
            Err(failure(&error))
        }
        _ => Ok(()),
    }
}

/// RFC 3339, UTC, with milliseconds.
fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}
