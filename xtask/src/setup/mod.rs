//! `cargo xtask setup`: says line by line what this machine has of what the project needs, and
//! installs what is missing. The needs come in groups; every other verb begins by calling [`ready`] with
//! all of its own, so that nobody has to run this verb by hand, and who is not root is stopped once.

mod inventory;
mod needs;
mod sign;

use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

pub(crate) use self::sign::is_static;
use crate::architecture::Architecture;
use crate::cargo_tool::{self, CargoTool};
use crate::{packages, toolchain};

/// Find what the build, the virtual machines and the tests need, and install what is missing
///
/// The other verbs do so by themselves, each for its own part. `INJECTOR_BPF_RUSTC` may name the
/// compiler for the BPF programs.
#[derive(Args)]
pub(crate) struct Setup {
    /// Only these groups of needs; those of build, demo and tests when none is named
    #[arg(value_enum)]
    groups: Vec<Group>,
    /// Only say what is there and what is missing
    #[arg(long)]
    check: bool,
}

/// What a part of the project needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Group {
    /// To compile and link the BPF programs
    Bpf,
    /// To run virtual machines
    Vm,
    /// To build for arm64 and to run virtual machines of it
    Arm64,
    /// To build the kernel with error injection
    KernelBuild,
    /// The programs that the demo shows
    Demo,
    /// The programs that the end-to-end tests use
    Test,
    /// To make a Debian package and a tarball
    Deb,
    /// To make and try all that people download
    Dist,
}

impl Group {
    /// To run virtual machines of this processor.
    pub(crate) fn of_vm(architecture: Architecture) -> Self {
        if architecture == Architecture::Arm64 && !architecture.is_host() { Self::Arm64 } else { Self::Vm }
    }
}

/// What most people come for.
const USUAL: [Group; 5] = [Group::Bpf, Group::Vm, Group::Arm64, Group::Demo, Group::Test];

impl Setup {
    pub(crate) fn run(self) -> Result<()> {
        let groups = if self.groups.is_empty() { USUAL.to_vec() } else { self.groups };
        let before = inventory::of(&groups);
        let outcome = if self.check { Ok(()) } else { ready(&groups) };
        let mut complete = true;
        for (line, before) in inventory::of(&groups).iter().zip(before) {
            let word = match (before.found, line.found) {
                (true, true) => "found    ",
                (_, false) => "missing  ",
                (false, true) => "installed",
            };
            println!("{word} {}", line.text);
            complete &= line.found;
        }
        outcome?;
        if !complete {
            let missing = missing(&groups);
            match packages::by_hand(&missing) {
                Some(command) if !missing.is_empty() => bail!("something is missing; type: {command}"),
                _ => bail!("something is missing; type: cargo xtask setup"),
            }
        }
        Ok(())
    }
}

/// Installs what `groups` lack. Says nothing and takes no time when all is there. One at a time.
///
/// Packages come first, all of them at once: what root has to do is one command.
pub(crate) fn ready(groups: &[Group]) -> Result<()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let missing = missing(groups);
    if !missing.is_empty() {
        packages::install(&missing)?;
    }
    for group in groups {
        match group {
            Group::Bpf => toolchain::ready().map(drop)?,
            Group::Arm64 => toolchain::libraries_ready(&[Architecture::Arm64.triple()])?,
            Group::Dist => {
                toolchain::libraries_ready(&Architecture::ALL.map(Architecture::static_triple))?;
            }
            _ => {}
        }
        tools(*group).iter().filter(|tool| !tool.found()).try_for_each(|tool| tool.install(|_| ()))?;
    }
    Ok(())
}

/// The packages that are missing, by Debian's names, each once.
fn missing(groups: &[Group]) -> Vec<String> {
    let mut missing: Vec<String> = Vec::new();
    for &group in groups {
        let needs = needs::of(group).filter(|need| !need.sign.found()).map(|need| need.package.to_owned());
        let linker = if group == Group::Bpf { toolchain::missing_packages() } else { Vec::new() };
        for package in needs.chain(linker) {
            if !missing.contains(&package) {
                missing.push(package);
            }
        }
    }
    missing
}

/// What cargo builds for `group`.
const fn tools(group: Group) -> &'static [CargoTool] {
    match group {
        Group::Deb => &[cargo_tool::DEB],
        Group::Dist => &[cargo_tool::DEB, cargo_tool::RPM, cargo_tool::SBOM],
        _ => &[],
    }
}
