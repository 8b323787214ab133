//! What a person reads: tables, notes, errors. All on stderr, so that a command's own output stays clean;
//! JSON goes to stdout where nothing else does.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use anyhow::Context as _;
use comfy_table::{ContentArrangement, Table, presets};
use injector::{
    engine::Report,
    plan::Plan,
    printable::{self, Printable},
};
use nix::poll::PollTimeout;

use crate::cli::{
    color,
    effects::fired,
    exit::{Code, Failure},
    screen,
};

/// A line for the person, with our name in front: written whole, so that it stays whole beside the
/// command's own output. A terminal that has hung up is no reason to fail.
pub(super) fn note(text: impl std::fmt::Display) {
    message(&printable::abridged(&Printable(text).to_string()));
}

/// Notes that were dropped, since nobody read stderr: whoever keeps a plan alive does not wait for that.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// What may take several lines already, and can be seen.
fn message(text: &str) {
    let before = DROPPED.load(Relaxed);
    // Once nobody has read it, nothing is waited for until somebody does.
    let patience = if before > 0 { PollTimeout::ZERO } else { PollTimeout::from(200_u8) };
    let mut text = format!("injector: {}\n", color::message(text));
    if before > 0 {
        text.insert_str(0, &format!("injector: {before} messages were dropped: nobody read stderr\n"));
    }
    match screen::aside(|| screen::write_patiently(text.as_bytes(), patience)) {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => DROPPED.store(before + 1, Relaxed),
        _ => DROPPED.store(0, Relaxed),
    }
}

/// An error: what and why, then what to do. No plan is alive any more, so there is time.
pub(super) fn failure(failure: &Failure) {
    let line = |kind: &str, text: &str| {
        let text = printable::lines(&format!("{kind}: {text}"));
        let line = format!("injector: {}\n", color::message(&text));
        let _ = screen::aside(|| screen::write_patiently(line.as_bytes(), at_the_end()));
    };
    line("error", &failure.message);
    if !failure.hint.is_empty() {
        line("hint", &failure.hint);
    }
}

/// How long the last words wait for somebody who reads them: on a terminal, which somebody may have stopped to read
/// (Ctrl-S), for ever.
fn at_the_end() -> PollTimeout {
    if io::stderr().is_terminal() { PollTimeout::NONE } else { PollTimeout::from(5_000_u16) }
}

/// Foreign text in a table or a list.
pub(super) fn shown(text: impl std::fmt::Display) -> String {
    Printable(text).to_string()
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

/// The lines of a table, the first of which is its head.
fn trimmed(table: &Table, head: impl Fn(String) -> String) -> String {
    let mut lines = table.lines().map(|line| line.trim_end().to_owned());
    let head = lines.next().map(head);
    head.into_iter().chain(lines).map(|line| line + "\n").collect()
}

/// Writes to stdout, all of it. A reader that has gone away (`| head`) is no reason to fail.
pub(super) fn out(text: &str) -> Result<(), Failure> {
    written(io::stdout().lock().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()), "stdout")
}

/// The same to stderr, without our name in front.
fn err(text: &str) -> Result<(), Failure> {
    written(screen::aside(|| screen::write_patiently(text.as_bytes(), at_the_end())), "stderr")
}

fn written(outcome: io::Result<()>, name: &str) -> Result<(), Failure> {
    match outcome {
        Err(error) if !is_gone(&error) => Err(Failure::other(
            format!("cannot write to {name}: {error}"),
            "send it where there is room: what was to be said is lost",
        )),
        _ => Ok(()),
    }
}

/// Has the reader gone away: a closed pipe, or a terminal that has hung up?
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(libc::EIO)
}

/// Prints a table on stdout.
pub(super) fn print(table: &Table) -> Result<(), Failure> {
    out(&trimmed(table, color::title))
}

/// Prints JSON on stdout.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    out(&json(value)?)
}

/// Prints JSON on stderr.
pub(super) fn json_aside(value: &impl serde::Serialize) -> Result<(), Failure> {
    err(&json(value)?)
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    Ok(printable::json(&text) + "\n")
}

/// What is said when the plan begins.
pub(super) fn begun(plan: &Plan, targets: &[String], chosen_seed: bool) {
    let limit = match plan.options.duration {
        Some(time) => format!("for {}", humantime::format_duration(time)),
        None => "until it ends".into(),
    };
    let seed = if chosen_seed { format!(", seed {}", plan.options.seed) } else { String::new() };
    let monitor = if plan.options.monitor { ", only counting" } else { "" };
    let idle = if plan.rules.is_empty() { ", idle until a change brings rules" } else { "" };
    let name = plan.options.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    note(format_args!(
        "plan {}{name} on {} {limit}{seed}{monitor}{idle}",
        plan.typed_id(),
        targets.join(", ")
    ));
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
pub(super) fn report(report: &Report, told: usize) -> Result<(), Failure> {
    let plan = format!("plan {}", report.plan);
    let mut table = table(&["rule", "matched", "fired", "suppressed", &plan]);
    for rule in &report.rules {
        let total: u64 = rule.suppressed.values().sum();
        let why: Vec<_> = rule.suppressed.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        table.add_row([
            rule.rule.to_string(),
            rule.matched.to_string(),
            fired(rule),
            if total == 0 { total.to_string() } else { format!("{total} ({})", why.join(", ")) },
            shown(&rule.text) + if rule.removed { " (removed)" } else { "" },
        ]);
    }
    let written = err(&trimmed(&table, color::title_aside));
    warnings(report, told);
    written
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
    for hint in idle_hints(report) {
        note(format_args!("hint: {hint}"));
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
    for (target, count) in &report.returns {
        let times = if *count == 1 { "once".into() } else { format!("{count} times") };
        note(format_args!("note: the target {target} came back {times}"));
    }
    for text in report.notes.iter().skip(told) {
        note(format_args!("note: {text}"));
    }
}

/// Where to look when rules did nothing.
fn idle_hints(report: &Report) -> impl Iterator<Item = &'static str> {
    let rules = || report.idle();
    let unmatched = rules().any(|rule| rule.matched == 0);
    // Rules on processes count rounds.
    let alone = rules().any(|rule| {
        let process = ["process=", "pause", "kill "].iter().any(|start| rule.text.starts_with(start));
        let by_when = rule.suppressed.get("when") == Some(&rule.matched);
        rule.matched > 0 && by_when && !process && !rule.text.contains("scope=")
    });
    let unmatched =
        unmatched.then_some("docs/troubleshooting.md has the usual causes of a rule that never matched");
    let alone =
        alone.then_some("`when=` counts for each thread by itself; with `scope=rule` it counts all together");
    unmatched.into_iter().chain(alone)
}

/// What the report means for the exit code, whatever was expected.
pub(super) fn verdict(report: &Report) -> Code {
    match (report.clean, &report.aborted) {
        (false, _) => Code::UNCLEAN,
        (true, Some(_)) => Code::FAILED,
        (true, None) => Code::OK,
    }
}

/// How long ago or how long still, to the second.
pub(super) fn seconds(nanoseconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(nanoseconds / 1_000_000_000)).to_string()
}
