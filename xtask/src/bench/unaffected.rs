//! `cargo xtask bench unaffected`: what the injector costs those whom it does not mean, in instructions.
//! They are counted by the guest's clock, which is the emulator's count: equal to the digit every time,
//! whatever the host is busy with.

use anyhow::Result;
use clap::Args;

use super::guest::counted;
use super::meter;
use super::scenario::{Machine, groups};
use super::table::Figures;
use crate::build;
use crate::kernel::Name;

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
    let mut words = ["stage", &name.to_string(), only].map(str::to_owned).to_vec();
    if machine.preemptible {
        words.push("--preemptible".to_owned());
    }
    let figures = Figures::read(&counted(name, machine.preemptible, &words)?)?;
    let boot = if machine.preemptible { ", preempt=full" } else { "" };
    Ok(format!("## {name}{boot}: {}", figures.print(&groups(machine, only))))
}
