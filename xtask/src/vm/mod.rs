//! `cargo xtask vm`: a command in a virtual machine on the host's files, with a kernel of the matrix.
//! [`Guest`] is the same for other verbs.

mod accelerator;
mod console;
mod files;
mod guest;
mod initramfs;
mod machine;
mod root;
mod session;
mod stream;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

pub(crate) use self::guest::{Ending, Guest, Outcome};
pub(crate) use self::stream::Streams;
use crate::checkout;
use crate::kernel::{self, Name};

/// What `timeout` gives when it ends a command.
const TIMED_OUT: u8 = 124;
/// What `env` and `injector run` give for trouble that is not the command's.
const NOT_THE_COMMAND: u8 = 125;

/// Run a command as root in a virtual machine that sees the host's files and cannot change them
///
/// A machine of another processor sees Debian's files for that instead, and of the host's the checkout, its target
/// folder and the current folder.
///
/// The exit code is the command's own; 124 if the time was up, 125 if the machine or its kernel
/// failed. What the command writes to /mnt/injector stays, in the run's folder under target/vm.
/// KVM is used if it boots a kernel here; `INJECTOR_ACCEL` (kvm, tcg, mttcg) decides otherwise. injector is not in the
/// machine's $PATH: name it as target/release/injector.
#[derive(Args)]
pub(crate) struct Verb {
    /// The kernel to boot
    #[arg(long, value_enum, default_value = "fault-injection")]
    kernel: Name,
    /// More kernel parameters
    #[arg(long, value_name = "CMDLINE", allow_hyphen_values = true)]
    append: Vec<String>,
    /// An environment variable for the command
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    memory: u32,
    /// Processors
    #[arg(long, value_name = "N", default_value_t = 2)]
    cpus: u32,
    /// Count instructions instead of time: one emulated processor, one instruction a nanosecond
    #[arg(long)]
    icount: bool,
    /// End the machine after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Verb {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut guest = Guest::new(kernel::ready(self.kernel)?);
        guest.append = self.append;
        guest.env = self.env;
        guest.memory = self.memory;
        guest.cpus = self.cpus;
        guest.icount = self.icount;
        guest.limit = Duration::from_secs(self.timeout);
        let outcome = guest.run(&self.command)?;
        for report in &outcome.trouble {
            eprintln!("vm: the kernel reports:\n{report}");
        }
        if fs::read_dir(outcome.share()).is_ok_and(|mut files| files.next().is_some()) {
            eprintln!("vm: /mnt/injector is kept in {}", checkout::shown(&outcome.share()));
        }
        if outcome.good() {
            return Ok(ExitCode::SUCCESS);
        }
        let console = checkout::shown(&outcome.folder.join("console.log"));
        let code = match &outcome.ending {
            Ending::Exited(0) => NOT_THE_COMMAND,
            Ending::Exited(code) => u8::try_from(*code).unwrap_or(u8::MAX),
            Ending::TimedOut => {
                eprintln!("vm: ended after {} s; the console: {console}", self.timeout);
                TIMED_OUT
            }
            Ending::Panicked => {
                eprintln!("vm: the kernel panicked; the console: {console}");
                NOT_THE_COMMAND
            }
            Ending::Lost(why) => {
                eprintln!("vm: {why}; the console: {console}");
                NOT_THE_COMMAND
            }
        };
        Ok(ExitCode::from(code))
    }
}

fn variable(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => bail!("{text:?} is not NAME=VALUE"),
    }
}
