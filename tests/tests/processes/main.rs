//! Rules on processes: they stand still as long as they are told to and go on whatever becomes of the injector, and
//! signals reach those who are meant, and nobody else.

mod endings;
mod kills;
mod pauses;

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use injector_tests::{
    cgroup::Scratch,
    clock::Clock,
    injector::{Counts, Finished, Injector, Running},
    patience,
};

/// For a thread of the injector to look, and a victim to get a processor, on an emulated machine that others use as well.
const SLACK: Duration = Duration::from_secs(1);

/// A clock in a cgroup of its own.
fn clock() -> Result<(Scratch, Clock)> {
    let cgroup = Scratch::new()?;
    let clock = Clock::start(cgroup.path())?;
    Ok((cgroup, clock))
}

/// `injector attach` to a cgroup with a rule on processes.
fn attach(cgroup: &Path, rule: &str) -> Result<Injector> {
    Ok(Injector::new(["attach", "--json", "--cgroup"])?.word(cgroup).words(["--process", rule]).logged())
}

/// One that has begun.
fn begun(injector: Injector) -> Result<Running> {
    let mut injector = injector.start()?;
    injector.begun()?;
    Ok(injector)
}

fn wait_still(clock: &Clock) -> Result<()> {
    patience::until("a clock that stands still", patience::LONG, || clock.stands())?;
    Ok(())
}

/// What its only rule has counted.
fn counts(finished: &Finished) -> Result<Counts> {
    let rules = finished.report()?.rules;
    let [counts] = &rules[..] else { bail!("{rules:?}") };
    let all: u64 = counts.fired + counts.suppressed.values().sum::<u64>();
    ensure!(counts.matched == all, "{counts:?}");
    Ok(counts.clone())
}

/// What is in a file of a cgroup.
fn value(cgroup: &Path, file: &str) -> Result<String> {
    let path = cgroup.join(file);
    Ok(fs::read_to_string(&path).with_context(|| path.display().to_string())?.trim().into())
}

/// Is the state of a process, as procfs has it, that of a stopped one?
fn is_stopped(pid: u32) -> Result<bool> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
}
