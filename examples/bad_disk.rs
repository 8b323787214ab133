//! Runs a command as if some of its files were on a bad disk, from a program that knows nothing of async:
//! `cargo run --example bad_disk -- '/var/lib/app/**' COMMAND ARGUMENT…`, as root.
//!
//! Each read of a file that the pattern means fails with EIO, whichever way it comes. The command's exit code is ours.

use std::{env, error::Error, ffi::OsString, process::ExitCode};

use injector::{
    blocking::Guard,
    engine::{Injector, Record, Report, Start},
    plan::Options,
    target::Target,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut words = env::args_os().skip(1);
    let Some(pattern) = words.next().and_then(|word| word.into_string().ok()) else {
        return Err("usage: bad_disk PATTERN COMMAND ARGUMENT…".into());
    };
    let (code, report) = on_a_bad_disk(&pattern, words, |record| eprintln!("{record:?}"))?;
    for rule in &report.rules {
        eprintln!("{}: {} of {} failed", rule.text, rule.fired, rule.matched);
    }
    Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Runs the command to its end: its exit code, and what was injected.
pub(crate) fn on_a_bad_disk(
    pattern: &str,
    command: impl IntoIterator<Item = impl Into<OsString>>,
    record: impl FnMut(Record) + Send + 'static,
) -> Result<(i32, Report), Box<dyn Error>> {
    let (target, mut command) = Target::command(command)?;
    let injector = Injector::new()?.rule(format!("io=read:error=EIO:path={pattern}").parse()?).target(target);
    let plan = injector.plan(Options::default().records())?;
    let guard = Guard::apply(injector, plan, Start::AtExec, record)?;
    command.start()?;
    let code = command.wait_blocking()?;
    let report = guard.finish()?;
    command.remove()?;
    Ok((code, report))
}
