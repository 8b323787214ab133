//! The end of an injection, in every way that there is: by itself, by the user, by another user, by the
//! death of the injector at any moment. Whatever way it is, the faults end and nothing is left.

mod death;
mod itself;
mod user;

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use injector_tests::{
    cgroup,
    guest::Kernel,
    injector::{Injector, Running},
    patience::{self, LONG},
    victim::{Operation, Steady, usual},
};
use serde_json::Value;

/// How long a lease lasts (design, promise 2).
const LEASE: Duration = Duration::from_secs(10);
/// For a victim to be asked and to answer, on an emulated machine that others use as well.
const SLACK: Duration = Duration::from_secs(2);

fn operation() -> Result<Operation> {
    Ok(usual(Kernel::running()?))
}

/// An injector that fails all calls of `victim`, and does so when this returns.
fn attached(victim: &Steady, options: &[&str]) -> Result<Running> {
    let rule = format!("{}:error=EIO", operation()?.name);
    let mut injector = Injector::attach(victim.cgroup.path(), &rule)?.words(options).start()?;
    injector.begun()?;
    victim.board.wait_faults(SLACK)?;
    Ok(injector)
}

fn plans() -> Result<Vec<Value>> {
    let finished = Injector::new(["ps", "--json"])?.expect(0)?;
    serde_json::from_str(&finished.stdout).with_context(|| finished.stdout.clone())
}

/// Cgroups of commands that there are now.
fn cgroups_of_commands() -> Result<Vec<PathBuf>> {
    let paths = fs::read_dir(cgroup::MOUNT)?.map(|entry| Ok(entry?.path()));
    let all = paths.collect::<Result<Vec<PathBuf>>>()?;
    Ok(all.into_iter().filter(|path| path.to_string_lossy().contains("/injector-run-")).collect())
}

fn wait_empty() -> Result<()> {
    patience::until("empty cgroups", LONG, || {
        let mut empty = true;
        for path in cgroups_of_commands()? {
            empty &= fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default().is_empty();
        }
        Ok(empty)
    })?;
    Ok(())
}
