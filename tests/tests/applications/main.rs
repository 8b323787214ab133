//! curl, PostgreSQL, Redis, etcd, dnsmasq and podman under faults: each says what docs/applications.md says that it says, and
//! its own figures move by what was asked for.
//!
//! What programs make of a fault does not depend on the kernel, so each test runs on one; that the faults are the same
//! on the others, or refused, is told by other suites.

mod calls;
mod clients;
mod containers;
mod damage;
mod lateness;
mod names;
mod refusals;
mod restarts;
mod services;
mod sessions;
mod silence;

use anyhow::{Context as _, Result, ensure};
use injector_tests::guest::Kernel;

/// Whether this is the kernel that a test is for.
fn on(kernel: Kernel) -> Result<bool> {
    Ok(Kernel::running()? == kernel)
}

/// The time in `said` behind `before`, in milliseconds, as in `Time: 234.047 ms`; as in `took = 1.05s` from a second on.
fn figure(said: &str, before: &str) -> Result<f64> {
    let found = said.split_once(before).with_context(|| format!("no `{before}` in: {said}"))?.1;
    let found = found.trim_start();
    let end = found.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(found.len());
    let (number, unit) = found.split_at(end);
    let number: f64 = number.parse().with_context(|| format!("no number behind `{before}` in: {said}"))?;
    Ok(if unit.starts_with('s') { number * 1e3 } else { number })
}

/// What a program measured is not less than what was asked for, and not much more for an emulated machine that others
/// use as well: two seconds for each delay of which it consists.
fn moved(what: &str, measured: f64, (asked, delays): (f64, f64)) -> Result<()> {
    let least = asked * delays;
    eprintln!("{what}: {measured} s, {least} s asked for");
    ensure!((least..least + 2.0 * delays).contains(&measured), "{what}: {measured} s instead of {least} s");
    Ok(())
}
