//! What a person reads: tables, notes, errors. All on stderr, so that a command's own output stays clean;
//! JSON goes to stdout where nothing else does.

use std::{
    fs::File,
    io::{self, LineWriter, Write},
    path::Path,
    time::Duration,
};

use comfy_table::{ContentArrangement, Table, presets};

use super::{
    effects::fired,
    exit::{Code, Failure},
    live,
};
use crate::{
    engine::{Record, Report},
    plan::Plan,
};

/// A line for the person, with our name in front: written whole, so that it stays whole beside the
/// command's own output. A terminal that has hung up is no reason to fail.
pub(super) fn note(text: impl std::fmt::Display) {
    let text = format!("injector: {text}\n");
    let _ = live::aside(|| io::stderr().write_all(text.as_bytes()));
}

/// An error: what and why, then what to do.
pub(super) fn failure(failure: &Failure) {
    note(format_args!("error: {}", failure.message.trim_end()));
    if !failure.hint.is_empty() {
        note(format_args!("hint: {}", failure.hint));
    }
}

/// A plain table that still reads well in a log.
pub(super) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head);
    table
}

fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Writes to stdout. A reader that has gone away (`| head`) is no reason to fail.
pub(super) fn out(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Prints a table on stdout.
pub(super) fn print(table: &Table) {
    out(&trimmed(table));
}

/// Prints JSON on stdout.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::other(format!("cannot write JSON: {error}"), ""))?;
    out(&(text + "\n"));
    Ok(())
}

/// Prints JSON on stderr.
pub(super) fn json_aside(value: &impl serde::Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => drop(io::stderr().write_all((text + "\n").as_bytes())),
        Err(error) => note(format_args!("warning: cannot write JSON: {error}")),
    }
}

/// What is said when the plan begins.
pub(super) fn begun(plan: &Plan, targets: &[String], chosen_seed: bool) {
    let limit = match plan.options.duration {
        Some(time) => format!("for {}", humantime::format_duration(time)),
        None => "until it ends".into(),
    };
    let seed = if chosen_seed { format!(", seed {}", plan.options.seed) } else { String::new() };
    let monitor = if plan.options.monitor { ", only counting" } else { "" };
    note(format_args!("plan {:08x} on {} {limit}{seed}{monitor}", plan.id, targets.join(", ")));
    for text in &plan.notes {
        note(format_args!("note: {}", shortened(text)));
    }
}

/// A class can leave out hundreds of calls: the rest of the list is for those who ask.
pub(super) fn shortened(note: &str) -> String {
    const ENOUGH: usize = 300;
    let Some((end, _)) = note.char_indices().nth(ENOUGH) else { return note.to_owned() };
    let shown = &note[..end];
    format!("{}, … (--dry-run shows all)", shown.rsplit_once(", ").map_or(shown, |(whole, _)| whole))
}

/// The closing table, with a loud word for rules that did nothing. `told`: so many notes were told before.
pub(super) fn report(report: &Report, told: usize) {
    let mut table = table(&["rule", "matched", "fired", "suppressed", ""]);
    for rule in &report.rules {
        let total: u64 = rule.suppressed.values().sum();
        let why: Vec<_> = rule.suppressed.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        table.add_row([
            rule.rule.to_string(),
            rule.matched.to_string(),
            fired(rule),
            if total == 0 { total.to_string() } else { format!("{total} ({})", why.join(", ")) },
            if rule.removed { format!("{} (removed)", rule.text) } else { rule.text.clone() },
        ]);
    }
    let _ = io::stderr().write_all(trimmed(&table).as_bytes());
    warnings(report, told);
}

/// What must not be overlooked, whatever form the report has.
pub(super) fn warnings(report: &Report, told: usize) {
    for rule in report.rules.iter().filter(|rule| !rule.removed) {
        if rule.matched == 0 {
            note(format_args!("WARNING: rule {} never matched: `{}`", rule.rule, rule.text));
        } else if rule.effective() == 0 {
            note(format_args!("warning: rule {} matched, but never fired: `{}`", rule.rule, rule.text));
        }
    }
    for (function, count) in &report.skipped {
        note(format_args!("warning: the kernel skipped {count} runs at {function}; those calls met no rule"));
    }
    if report.delays.missed > 0 {
        note(format_args!(
            "warning: {} delays did not happen: too many threads of one processor waited in the same call \
             (docs/delay.md)",
            report.delays.missed
        ));
    }
    if report.delays.cut_short > 0 {
        note(format_args!(
            "note: {} delays ended before their time: the thread was killed, or the plan ended",
            report.delays.cut_short
        ));
    }
    if report.lost_events > 0 {
        note(format_args!("warning: {} events were lost; the table has them all", report.lost_events));
    }
    if report.lost_cgroups > 0 {
        note(format_args!("warning: {} cgroups below the target did not fit the table", report.lost_cgroups));
    }
    for text in report.notes.iter().skip(told) {
        note(format_args!("note: {text}"));
    }
}

/// What the report means for the exit code.
pub(super) fn verdict(report: &Report, expect_fired: bool) -> Code {
    if !report.clean {
        return Code::UNCLEAN;
    }
    if report.aborted.is_some() {
        return Code::FAILED;
    }
    if expect_fired && report.idle().next().is_some() { Code::FAILED } else { Code::OK }
}

/// Where the injections are written, if anywhere: each line at once, so that it can be followed.
pub(super) struct Log(Option<LineWriter<File>>);

impl Log {
    /// Makes the file, or empties it.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self(None)) };
        let file = File::create(path).map_err(|error| {
            Failure::usage(
                format!("cannot write the log {}: {error}", path.display()),
                "name a file in a directory that exists and can be written",
            )
        })?;
        Ok(Self(Some(LineWriter::new(file))))
    }

    /// Writes one line. A log that can no longer be written is said once and given up.
    pub(super) fn write(&mut self, record: &Record) {
        let Some(file) = &mut self.0 else { return };
        if let Err(error) = line(file, record) {
            note(format_args!("warning: the log can no longer be written: {error}"));
            self.0 = None;
        }
    }

    /// Hands everything to the kernel.
    pub(super) fn flush(&mut self) {
        if let Some(file) = &mut self.0
            && let Err(error) = file.flush()
        {
            note(format_args!("warning: the log is incomplete: {error}"));
        }
    }
}

fn line(file: &mut LineWriter<File>, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *file, record)?;
    file.write_all(b"\n")
}

/// How long ago or how long still, to the second.
pub(super) fn seconds(nanoseconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(nanoseconds / 1_000_000_000)).to_string()
}
