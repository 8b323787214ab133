//! `cargo xtask bench unaffected`: what the injector costs those whom it does not mean, in instructions.
//! They are counted by the guest's clock, which is the emulator's count: equal to the digit every time,
//! whatever the host is busy with.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::meter;
use super::scenario::{Machine, groups};
use super::table::Figures;
use crate::kernel::{self, Name};
use crate::vm::{Ending, Guest, Streams};
use crate::{build, checkout};

/// The whole of one kernel takes three to ten minutes.
const LIMIT: Duration = Duration::from_mins(40);

/// Instructions per call of a process outside the targets, and of one inside whose rule does not fire
///
/// Measured in guests that count instructions: mitigations off, one processor. Prints tables.
#[derive(Args)]
pub(super) struct Unaffected {
    /// Only this kernel; may be given more than once
    #[arg(long, value_enum, default_values = ["fault-injection", "debian-6.12"])]
    kernel: Vec<Name>,
    /// Boot with preempt=full, where other mechanisms come first
    #[arg(long)]
    preempt_full: bool,
    /// Only tables whose title contains this, such as fmod_ret
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Measure with the injector that is there, without building it
    #[arg(long)]
    no_build: bool,
}

impl Unaffected {
    pub(super) fn run(self) -> Result<()> {
        if !self.no_build {
            build::all(true)?;
        }
        meter::build()?;
        for kernel in self.kernel {
            let machine = Machine { kernel, preemptible: self.preempt_full };
            println!("\n{}", measure(machine, &self.only)?);
        }
        Ok(())
    }
}

/// The tables of one machine.
fn measure(machine: Machine, only: &str) -> Result<String> {
    let name = machine.kernel;
    let mut guest = Guest::new(kernel::ready(name)?);
    guest.name = format!("bench-{name}");
    guest.icount = true;
    guest.limit = LIMIT;
    guest.directory = checkout::root();
    guest.streams = Streams::Capture;
    guest.env = vec![("CARGO_TARGET_DIR".to_owned(), checkout::target().display().to_string())];
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = vec![program.display().to_string()];
    command.extend(["bench", "stage", &name.to_string(), only].map(str::to_owned));
    if machine.preemptible {
        guest.append.push("preempt=full".to_owned());
        command.push("--preemptible".to_owned());
    }
    let outcome = guest.run(&command)?;
    if !outcome.good() {
        let how = match &outcome.ending {
            Ending::Exited(code) => format!("exit code {code}"),
            other => format!("{other:?}"),
        };
        let said = String::from_utf8_lossy(&outcome.stderr);
        let trouble = outcome.trouble.join("\n");
        bail!(
            "the measurement on {name} failed ({how}): {said}{trouble}\nall of it: {}",
            checkout::shown(&outcome.folder)
        );
    }
    let figures = Figures::read(&String::from_utf8_lossy(&outcome.stdout))?;
    let boot = if machine.preemptible { ", preempt=full" } else { "" };
    Ok(format!("## {name}{boot}: {}", figures.print(&groups(machine, only))))
}
