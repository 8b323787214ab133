//! `cargo xtask demo`: real programs meet real faults, step by step. The steps are scripts in
//! `examples/`, which a user can run as well; here the machine is made ready for them, or another one
//! is booted where this one cannot.

use std::env;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::kernel::{self, Name};
use crate::vm::{Ending, Guest};
use crate::{build, checkout, child, setup};

/// Show Redis on a disk that fails and a client whose packets are lost
///
/// Runs on this machine if it is root's and its kernel can, else in a virtual machine. The exit code
/// is 0 if each effect was really seen.
#[derive(Args)]
pub(crate) struct Demo {
    /// In a virtual machine, whatever this machine can
    #[arg(long)]
    vm: bool,
}

/// The steps, in `examples/`.
const SCRIPTS: [&str; 2] = ["redis-fsync.sh", "packet-loss.sh"];

/// What they need of the kernel: one of each line.
const NEEDED: [&[&str]; 5] =
    [&["process_tree"], &["cgroup2"], &["fmod_ret", "kprobe"], &["cgroup_skb"], &["tcx", "clsact"]];

/// Runs every script, whatever becomes of the one before it; 1 if one was not content.
const ALL: &str = r#"code=0; for script; do sh "$script" || code=1; done; exit $code"#;

/// The time for the guest; emulated, it takes about a minute.
const LIMIT: Duration = Duration::from_mins(5);

impl Demo {
    pub(crate) fn run(self) -> Result<ExitCode> {
        setup::ready(setup::Group::Demo)?;
        build::all(true)?;
        let obstacle = if self.vm { Some("you asked for one".to_owned()) } else { obstacle()? };
        let code = match obstacle {
            None => {
                println!("On this machine.");
                here()?
            }
            Some(why) => {
                println!("In a virtual machine: {why}.");
                in_guest()?
            }
        };
        println!();
        match code {
            0 => println!("Every effect was seen. README.md says how to go on."),
            _ => println!("Something was not seen: see above."),
        }
        Ok(ExitCode::from(code))
    }
}

/// Why this machine cannot do it itself.
fn obstacle() -> Result<Option<String>> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(Some("this is not root".to_owned()));
    }
    let output = Command::new(checkout::injector())
        .args(["doctor", "--json"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start the injector")?;
    let findings: Value = serde_json::from_slice(&output.stdout).context("`injector doctor` gave no JSON")?;
    Ok(missing(&findings))
}

/// The first need that the findings of `injector doctor --json` do not meet, with its reason.
fn missing(findings: &Value) -> Option<String> {
    let found = |name: &str| findings["mechanisms"].as_array()?.iter().find(|one| one["mechanism"] == name);
    NEEDED.iter().find_map(|alternatives| {
        let works = |name: &&str| found(name).is_some_and(|one| one["available"] == true);
        if alternatives.iter().any(works) {
            return None;
        }
        let why = found(alternatives[0]).and_then(|one| one["why"].as_str()).unwrap_or("no reason given");
        Some(format!("this one has no {} ({})", alternatives.join(" and no "), why.trim()))
    })
}

fn command() -> Vec<String> {
    let scripts = SCRIPTS.map(|name| checkout::root().join("examples").join(name).display().to_string());
    ["sh", "-c", ALL, "demo"].map(str::to_owned).into_iter().chain(scripts).collect()
}

/// The PATH on which the scripts find the injector that was just built, before any other.
fn path(rest: &str) -> Result<String> {
    let injector = checkout::injector();
    let folder = injector.parent().context("the injector is in no folder")?;
    Ok(format!("{}:{rest}", folder.display()))
}

fn here() -> Result<u8> {
    let words = command();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env("PATH", path(&env::var("PATH").unwrap_or_default())?);
    child::without_cargo(&mut command);
    let status = command.stdin(Stdio::null()).status().context("cannot start a shell")?;
    Ok(u8::from(!status.success()))
}

fn in_guest() -> Result<u8> {
    let kernel = kernel::ready(Name::FaultInjection)?;
    println!("Booting {} …", kernel.name);
    let mut guest = Guest::new(kernel);
    "demo".clone_into(&mut guest.name);
    guest.limit = LIMIT;
    guest.env =
        vec![("PATH".to_owned(), path("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")?)];
    let outcome = guest.run(&command())?;
    match (&outcome.ending, outcome.trouble.first()) {
        (Ending::Exited(code), None) => Ok(u8::from(*code != 0)),
        (_, Some(trouble)) => bail!("the guest's kernel reports:\n{trouble}"),
        (ending, None) => {
            bail!(
                "the guest ended early ({ending:?}): {}",
                checkout::shown(&outcome.folder.join("console.log"))
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::missing;

    #[test]
    fn one_of_each_line_is_enough() {
        let one =
            |name: &str, available: bool| json!({"mechanism": name, "available": available, "why": "no X"});
        let mut all = ["process_tree", "cgroup2", "fmod_ret", "kprobe", "cgroup_skb", "tcx", "clsact"]
            .map(|name| one(name, true));
        let findings = |all: &[serde_json::Value]| missing(&json!({"mechanisms": all}));
        assert_eq!(findings(&all), None);
        all[2] = one("fmod_ret", false);
        all[5] = one("tcx", false);
        assert_eq!(findings(&all), None);
        all[3] = one("kprobe", false);
        assert_eq!(findings(&all).as_deref(), Some("this one has no fmod_ret and no kprobe (no X)"));
        assert!(findings(&[]).is_some());
    }
}
