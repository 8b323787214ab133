//! curl, PostgreSQL, Redis, etcd and dnsmasq under faults: each says what docs/applications.md says that it says, and
//! its own figures move by what was asked for.
//!
//! What programs make of a fault does not depend on the kernel, so each test runs on one; that the faults are the same
//! on the others, or refused, is told by other suites.

mod calls;
mod clients;
mod damage;
mod lateness;
mod names;
mod refusals;
mod services;
mod sessions;
mod silence;

use anyhow::{Context as _, Result, ensure};
use injector_tests::guest::Kernel;

/// Whether this is the kernel that a test is for.
fn on(kernel: Kernel) -> Result<bool> {
    Ok(Kernel::running()? == kernel)
}

/// The number in `said` behind `before`, as in `Time: 234.047 ms`.
fn figure(said: &str, before: &str) -> Result<f64> {
    let found = said.split_once(before).with_context(|| format!("no `{before}` in: {said}"))?.1;
    let number = found.trim_start().split(|c: char| !c.is_ascii_digit() && c != '.').next();
    number.unwrap_or_default().parse().with_context(|| format!("no number behind `{before}` in: {said}"))
}

/// What a program measured is not less than what was asked for, and not much more for an emulated machine that others
/// use as well: two seconds for each delay of which it consists.
fn moved(what: &str, measured: f64, (asked, delays): (f64, f64)) -> Result<()> {
    let least = asked * delays;
    eprintln!("{what}: {measured} s, {least} s asked for");
    ensure!((least..least + 2.0 * delays).contains(&measured), "{what}: {measured} s instead of {least} s");
    Ok(())
}
