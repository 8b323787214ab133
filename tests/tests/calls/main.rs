//! Rules on system calls beyond an error at their entry: every call there is, results of calls that have
//! run, signals, arguments, names, several errors, and who counts together.

#[cfg(target_arch = "x86_64")]
mod every;
mod exit;
mod filters;
mod objects;
mod traps;

use anyhow::Result;
use injector_tests::{guest::Kernel, injector::Finished, injector::Injector};

/// Whether calls themselves can be changed here: the rest is for such kernels, and refused elsewhere.
fn any_call() -> Result<bool> {
    Ok(Kernel::running()?.injects_calls())
}

/// Runs a Python script under rules; its output.
fn python(rules: &[&str], script: &str) -> Result<Finished> {
    let mut injector = Injector::new(["run", "--json", "--unsafe", "--seed", "7"])?;
    for rule in rules {
        injector = injector.words(["-e", &format!("inject={rule}")]);
    }
    injector.logged().command(&["python3", "-B", "-c", script]).finish()
}

/// What the script printed, before the report.
fn printed(finished: &Finished) -> &str {
    finished.stdout.trim()
}
