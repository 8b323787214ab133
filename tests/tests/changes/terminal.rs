//! The lines of `attach` on a terminal: script(1) is the terminal, and what it has recorded is played to
//! an emulated one.

use std::{
    fs,
    num::NonZero,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    guest,
    injector::as_from_a_terminal,
    patience,
    victim::{self, Steady},
};

use crate::{changed, listed, operation, rule};

/// `attach` on a terminal of so many columns, recorded in `folder`.
fn on_a_terminal(
    victim: &Steady,
    folder: &Path,
    columns: u16,
    environment: &[(&str, &str)],
) -> Result<Child> {
    let injector = format!(
        "stty rows 24 cols {columns}; exec {} attach --cgroup {} -e '{}' --seed 1",
        guest::injector()?.display(),
        victim.cgroup.path().display(),
        rule("error=EIO")?
    );
    let mut terminal = Command::new("script");
    terminal
        .args(["-qefc", &injector, "record"])
        .current_dir(folder)
        .env("TERM", "xterm")
        .envs(environment.to_vec());
    as_from_a_terminal(&mut terminal);
    Ok(terminal.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?)
}

/// What was written so far, without script's own first line.
fn record(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("record")).unwrap_or_default();
    let text = text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    text.split("\nScript done").next().unwrap_or_default().to_owned()
}

/// The lines that are on the screen in the end.
fn screen(text: &str, columns: u16) -> Vec<String> {
    let (Some(rows), Some(wide)) = (NonZero::new(24), NonZero::new(columns)) else { return Vec::new() };
    let mut terminal = vt100::Parser::new(rows, wide, 100);
    terminal.process(text.as_bytes());
    let lines = terminal.screen().rows(0, columns);
    lines.map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Is there a sequence that chooses a colour or a weight?
fn is_coloured(text: &str) -> bool {
    let sequences = text.split('\x1b').skip(1).filter_map(|rest| rest.strip_prefix('['));
    let mut ends = sequences.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
    ends.any(|end| end.starts_with('m'))
}

/// Waits until the plan acts, shows itself changing, and is ended by Ctrl-C. Gives what was seen on the
/// screen in between, and all that was written.
fn watched(columns: u16, environment: &[(&str, &str)]) -> Result<(Vec<String>, String)> {
    let (victim, folder) = (Steady::start(operation()?)?, victim::folder()?);
    let mut terminal = on_a_terminal(&victim, folder.path(), columns, environment)?;
    patience::until("a plan", patience::LONG, || Ok(record(folder.path()).contains("plan ")))?;
    victim.board.next(100)?;
    let plan = listed()?;
    let id = plan["id"].as_str().context("no id")?;
    changed(id, &[&rule("error=EIO")?, &rule("error=EPERM:when=60000")?])?;
    victim.board.next(100)?;
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let seen = screen(&record(folder.path()), columns);
    let mut keyboard = terminal.stdin.take().context("no keyboard")?;
    std::io::Write::write_all(&mut keyboard, b"\x03")?;
    let status = terminal.wait()?;
    drop(keyboard);
    ensure!(status.success(), "{status}");
    Ok((seen, record(folder.path())))
}

#[test]
fn the_rules_are_shown_as_they_move() -> Result<()> {
    let (seen, all) = watched(100, &[("RUST_LOG", "info"), ("NO_COLOR", "1")])?;
    let row = |number: &str| seen.iter().find(|line| line.trim_start().starts_with(number)).cloned();
    let first = row("0 ").with_context(|| format!("{seen:#?}"))?;
    let words: Vec<_> = first.split_whitespace().collect();
    let [_, matched, matched_rate, fired, fired_rate, text] = words[..] else { panic!("{first}") };
    // The victim is at it while the one counter is read, and then the other.
    let (matched, fired): (u64, u64) = (matched.parse()?, fired.parse()?);
    ensure!(matched >= 100 && matched.abs_diff(fired) <= 3 && text == rule("error=EIO")?, "{first}");
    ensure!(matched_rate.parse::<f64>()? > 1.0 && fired_rate.parse::<f64>()? > 1.0, "{first}");
    // The rule that came later has its line.
    ensure!(row("1 ").is_some_and(|line| line.contains("error=EPERM")), "{seen:#?}");
    // A line of the log stands above, whole.
    ensure!(seen.iter().any(|line| line.contains("INFO")), "{seen:#?}");
    // No colour, whatever moves.
    ensure!(!is_coloured(&all), "colour: {all:?}");

    let last = screen(&all, 100);
    let heads = last.iter().filter(|line| line.trim_start().starts_with("rule ")).count();
    ensure!(heads == 1, "{last:#?}");
    ensure!(last.iter().any(|line| line.contains("suppressed")), "{last:#?}");
    ensure!(!last.iter().any(|line| line.contains("matched  /s")), "{last:#?}");
    Ok(())
}

#[test]
fn a_narrow_terminal_will_do() -> Result<()> {
    let (seen, all) = watched(40, &[])?;
    ensure!(seen.iter().any(|line| line.contains("matched  /s")), "{seen:#?}");
    ensure!(!screen(&all, 40).iter().any(|line| line.contains("matched  /s")), "{:#?}", screen(&all, 40));
    Ok(())
}

#[test]
fn a_dumb_terminal_sees_nothing_move() -> Result<()> {
    let (_, all) = watched(80, &[("TERM", "dumb")])?;
    ensure!(!all.contains('\x1b') && !all.contains("matched  /s"), "{all:?}");
    ensure!(all.contains("suppressed"), "{all:?}");
    Ok(())
}
