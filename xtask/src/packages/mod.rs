//! The machine's package manager: what is missing is installed with apt-get, through sudo where we
//! are not root and sudo needs no password; otherwise the command to type is given, with the names that
//! the machine's distribution has for the packages.

mod distribution;
pub(crate) mod names;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};

use self::distribution::Distribution;
use crate::child;

/// Installs while keeping services stopped: a postinst that starts a daemon (Debian's redis-server)
/// asks /usr/sbin/policy-rc.d first; 101 means "not allowed". A policy that is there already stays. Somebody else's
/// apt, such as that of another checkout, is waited for.
const INSTALL: &str = r#"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$@"
"#;

/// apt has a lock of its own, at which a second one fails instead of waiting.
static APT: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    APT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there is an apt to work with.
pub(crate) fn manageable() -> bool {
    child::on_path("apt-get").is_some()
}

/// The one command that installs `packages`, which have Debian's names here; none if this machine's distribution has
/// another package manager than those that we know.
pub(crate) fn by_hand(packages: &[String]) -> Option<String> {
    let here = Distribution::here()?;
    let mut known: Vec<&str> = packages.iter().filter_map(|package| names::on(here, package)).collect();
    // One may stand for several of Debian's.
    let mut seen = BTreeSet::new();
    known.retain(|name| seen.insert(*name));
    (!known.is_empty()).then(|| format!("sudo {} {}", here.install(), known.join(" ")))
}

/// Installs `packages`; on failure the error says what to type.
pub(crate) fn install(packages: &[String]) -> Result<()> {
    let lacking = || {
        let here = Distribution::here();
        let lacks = |package: &&String| here.is_none_or(|here| names::on(here, package).is_none());
        let lacking: Vec<&str> = packages.iter().filter(lacks).map(String::as_str).collect();
        if lacking.is_empty() {
            String::new()
        } else {
            format!(
                "; this distribution has no package that we know for what Debian calls {}",
                lacking.join(", ")
            )
        }
    };
    let Some(command) = by_hand(packages) else {
        bail!("something is missing that we cannot install here{}", lacking());
    };
    if !manageable() {
        bail!("something is missing; type: {command}{}", lacking());
    }
    let Some(mut root) = as_root("sh") else {
        bail!(
            "something is missing, this is not root, and sudo asks for a password; type: {command}{}",
            lacking()
        );
    };
    let _alone = alone();
    let wanted: Vec<&str> = packages.iter().map(String::as_str).collect();
    refresh_alone(&wanted)?;
    eprintln!("setup: apt-get install {}", wanted.join(" "));
    root.args(["-c", INSTALL, "sh"]).args(wanted);
    child::output(&mut root).with_context(|| format!("cannot install; by hand: {command}"))?;
    Ok(())
}

/// The version that apt would install, if it knows the package.
pub(crate) fn candidate(package: &str) -> Option<String> {
    let said = child::output(Command::new("apt-cache").args(["policy", package]).env("LC_ALL", "C")).ok()?;
    let version = said.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (version != "(none)").then(|| version.to_owned())
}

/// Gets the lists of packages anew when apt does not know one of `packages`.
pub(crate) fn refresh(packages: &[&str]) -> Result<()> {
    let _alone = alone();
    refresh_alone(packages)
}

fn refresh_alone(packages: &[&str]) -> Result<()> {
    if packages.iter().all(|package| candidate(package).is_some()) || update_alone()? {
        return Ok(());
    }
    bail!("apt does not know all of {}; type: sudo apt-get update", packages.join(", "))
}

/// Gets the lists of packages anew; false if we may not.
pub(crate) fn update() -> Result<bool> {
    let _alone = alone();
    update_alone()
}

fn update_alone() -> Result<bool> {
    let Some(mut root) = as_root("apt-get") else { return Ok(false) };
    eprintln!("setup: apt-get update");
    child::run(root.args(["update", "-qq"]))?;
    Ok(true)
}

/// `program` with root's rights, if that is possible without asking anybody.
fn as_root(program: &str) -> Option<Command> {
    if nix::unistd::geteuid().is_root() {
        return Some(Command::new(program));
    }
    let mut probe = Command::new("sudo");
    probe.args(["-n", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if !probe.status().is_ok_and(|status| status.success()) {
        return None;
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    Some(command)
}

/// The version of a package that is installed.
pub(crate) fn installed(package: &str) -> Option<String> {
    let mut command = Command::new("dpkg-query");
    child::output(command.args(["-W", "-f", "${Version}", package]))
        .ok()
        .filter(|version| !version.is_empty())
}
