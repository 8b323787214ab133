//! The machine's package manager: what is missing is installed with apt-get, through sudo where we
//! are not root and sudo needs no password; otherwise the command to type is given. On machines
//! without apt the packages' Debian names are all that we can say.

use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};

use crate::child;

/// Installs while keeping services stopped: a postinst that starts a daemon (Debian's redis-server)
/// asks /usr/sbin/policy-rc.d first; 101 means "not allowed". A policy that is there already stays.
const INSTALL: &str = r#"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -qq --no-install-recommends "$@"
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

/// Installs `packages`; on failure the error says what to type.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let by_hand = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if !manageable() {
        bail!(
            "there is no apt-get on this machine; install what these Debian packages hold: {}",
            packages.join(" ")
        );
    }
    let Some(mut root) = as_root("sh") else {
        bail!("not root, and sudo asks for a password; type: sudo {by_hand}");
    };
    let _alone = alone();
    refresh_alone(packages)?;
    eprintln!("setup: apt-get install {}", packages.join(" "));
    root.args(["-c", INSTALL, "sh"]).args(packages);
    child::output(&mut root).with_context(|| format!("cannot install; by hand: sudo {by_hand}"))?;
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
