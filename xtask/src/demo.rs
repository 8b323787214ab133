//! `cargo xtask demo`: real programs meet real faults, step by step. The steps are scripts in
//! `examples/`, which a user can run as well; here the machine is made ready for them, or another one
//! is booted where this one cannot.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::architecture::Architecture;
use crate::kernel::{self, Kernel, Name};
use crate::setup::Group;
use crate::vm::{Ending, Guest};
use crate::waiting::step;
use crate::{build, checkout, child, setup};

/// Show Redis on a full disk, a client whose packets are lost, and a file that opens slowly
///
/// Runs on this machine if it is root's and its kernel can, else in a virtual machine with Debian's
/// 6.12. The exit code is 0 if each effect was really seen.
#[derive(Args)]
pub(crate) struct Demo {
    /// Show an fsync that fails, too: in a virtual machine with a kernel that is built for it, once,
    /// in 10 to 25 minutes
    #[arg(long)]
    full: bool,
    /// In a virtual machine, whatever this machine can
    #[arg(long)]
    vm: bool,
}

/// What is shown: scripts in `examples/`.
const SCRIPTS: [&str; 3] = ["redis-full.sh", "packet-loss.sh", "slow-open.sh"];
/// What they need of the kernel: one of each line.
const NEEDED: [&[&str]; 6] = [
    &["process_tree"],
    &["cgroup2"],
    &["hook", "lsm"],
    &["call_delay_hook"],
    &["cgroup_skb"],
    &["tcx", "clsact"],
];

/// What `--full` shows besides.
const FSYNC: &str = "redis-fsync.sh";
/// What that needs.
const FSYNC_NEEDED: &[&str] = &["fmod_ret", "kprobe"];

/// Runs every script, whatever becomes of the one before it; 1 if one was not content.
const ALL: &str = r#"code=0; for script; do sh "$script" || code=1; done; exit $code"#;

/// The time for the guest; emulated, it takes half a minute.
const LIMIT: Duration = Duration::from_mins(5);

impl Demo {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut groups = vec![Group::Demo, Group::Bpf];
        if self.vm || !nix::unistd::geteuid().is_root() {
            groups.extend(kernel::needs(&[self.kernel()]));
        }
        step("the programs that are needed", "a minute, once", || setup::ready(&groups))?;
        // Without optimisation, which takes most of the time and shows nothing.
        step("the build of injector", "two minutes, once", || build::all(false))?;
        let obstacle = if self.vm { Some("you asked for one".to_owned()) } else { self.obstacle()? };
        let code = match obstacle {
            None => {
                println!("On this machine.");
                self.here()?
            }
            Some(why) => {
                println!("In a virtual machine: {why}.");
                self.in_guest(self.guest()?)?
            }
        };
        println!();
        match code {
            0 => println!("Every effect was seen. README.md says how to go on."),
            _ => println!("Something was not seen: see above."),
        }
        Ok(ExitCode::from(code))
    }

    /// Why this machine cannot do it itself.
    fn obstacle(&self) -> Result<Option<String>> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(Some("this is not root".to_owned()));
        }
        let output = Command::new(injector())
            .args(["doctor", "--json"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start the injector")?;
        let findings: Value =
            serde_json::from_slice(&output.stdout).context("`injector doctor` gave no JSON")?;
        Ok(missing(&findings, self.full))
    }

    fn command(&self) -> Vec<String> {
        let names = SCRIPTS.into_iter().chain(self.full.then_some(FSYNC));
        let scripts = names.map(|name| checkout::root().join("examples").join(name).display().to_string());
        ["sh", "-c", ALL, "demo"].map(str::to_owned).into_iter().chain(scripts).collect()
    }

    fn here(&self) -> Result<u8> {
        let words = self.command();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("PATH", path(&env::var("PATH").unwrap_or_default())?);
        child::without_cargo(&mut command);
        let status = command.stdin(Stdio::null()).status().context("cannot start a shell")?;
        Ok(u8::from(!status.success()))
    }

    /// The kernel for the virtual machine.
    fn guest(&self) -> Result<Kernel> {
        let name = self.kernel();
        let groups = kernel::needs(&[name]);
        step("the emulator (QEMU)", "half a minute, once", || setup::ready(&groups))?;
        let (what, usual) = if self.full {
            ("the build of a kernel with error injection", "10 to 25 minutes, once")
        } else {
            ("Debian's kernel 6.12", "half a minute, once")
        };
        step(what, usual, || kernel::ready(name))
    }

    const fn kernel(&self) -> Name {
        if self.full { Name::FaultInjection } else { Name::Debian612 }
    }

    fn in_guest(&self, kernel: Kernel) -> Result<u8> {
        println!("Booting {} …", kernel.name);
        let mut guest = Guest::new(kernel);
        "demo".clone_into(&mut guest.name);
        guest.limit = LIMIT;
        guest.env =
            vec![("PATH".to_owned(), path("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")?)];
        let outcome = guest.run(&self.command())?;
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
}

/// The first need that the findings of `injector doctor --json` do not meet, with its reason.
fn missing(findings: &Value, full: bool) -> Option<String> {
    let found = |name: &str| findings["mechanisms"].as_array()?.iter().find(|one| one["mechanism"] == name);
    NEEDED.into_iter().chain(full.then_some(FSYNC_NEEDED)).find_map(|alternatives| {
        let works = |name: &&str| found(name).is_some_and(|one| one["available"] == true);
        if alternatives.iter().any(works) {
            return None;
        }
        let why = found(alternatives[0]).and_then(|one| one["why"].as_str()).unwrap_or("no reason given");
        Some(format!("this one has no {} ({})", alternatives.join(" and no "), why.trim()))
    })
}

/// The injector that was just built.
fn injector() -> PathBuf {
    checkout::built_for(Architecture::host()).join("debug/injector")
}

/// The PATH on which the scripts find it, before any other.
fn path(rest: &str) -> Result<String> {
    let injector = injector();
    let folder = injector.parent().map(Path::display).context("the injector is in no folder")?;
    Ok(format!("{folder}:{rest}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{FSYNC_NEEDED, NEEDED, missing};

    #[test]
    fn one_of_each_line_is_enough() {
        let one =
            |name: &str, available: bool| json!({"mechanism": name, "available": available, "why": "no X"});
        let mut all: Vec<_> = NEEDED
            .iter()
            .chain([&FSYNC_NEEDED])
            .flat_map(|line| line.iter())
            .map(|name| one(name, true))
            .collect();
        let findings = |all: &[serde_json::Value], full| missing(&json!({"mechanisms": all}), full);
        let change = |all: &mut Vec<serde_json::Value>, name: &str| {
            let found = all.iter_mut().find(|one| one["mechanism"] == name).unwrap();
            found["available"] = false.into();
        };
        assert_eq!(findings(&all, true), None);
        change(&mut all, "tcx");
        change(&mut all, "fmod_ret");
        assert_eq!(findings(&all, true), None);
        change(&mut all, "kprobe");
        assert_eq!(findings(&all, false), None);
        assert_eq!(findings(&all, true).as_deref(), Some("this one has no fmod_ret and no kprobe (no X)"));
        assert!(findings(&[], false).is_some());
    }
}
