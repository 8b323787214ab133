//! KVM where it really boots a kernel, emulation otherwise. A /dev/kvm that opens proves little
//! (nested or trimmed hypervisors refuse single instructions), so the first guest tries it, and what
//! came of it is remembered for this host's kernel.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::checkout;

/// What executes the guest's instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Accelerator {
    Kvm,
    Emulation,
    /// Emulation with a thread for each processor: true concurrency, and see `machine` for its price.
    Threads,
}

/// What to use, and whether that is known to work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Choice {
    Known(Accelerator),
    /// KVM is there and has not been tried.
    TryKvm,
}

/// `INJECTOR_ACCEL` (`kvm`, `tcg` or `mttcg`) decides; else what was seen on this host.
pub(super) fn choice() -> Result<Choice> {
    match env::var("INJECTOR_ACCEL").as_deref() {
        Ok("kvm") => return Ok(Choice::Known(Accelerator::Kvm)),
        Ok("tcg") => return Ok(Choice::Known(Accelerator::Emulation)),
        Ok("mttcg") => return Ok(Choice::Known(Accelerator::Threads)),
        Ok("") | Err(_) => {}
        Ok(other) => bail!("INJECTOR_ACCEL is {other:?}; it takes kvm, tcg or mttcg"),
    }
    if fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_err() {
        return Ok(Choice::Known(Accelerator::Emulation));
    }
    let seen = fs::read_to_string(memory()).unwrap_or_default();
    Ok(match seen.trim().split_once(' ') {
        Some(("kvm", host)) if host == self::host() => Choice::Known(Accelerator::Kvm),
        Some(("tcg", host)) if host == self::host() => Choice::Known(Accelerator::Emulation),
        _ => Choice::TryKvm,
    })
}

/// Remembers what the try came to.
pub(super) fn remember(accelerator: Accelerator) -> Result<()> {
    let word = if accelerator == Accelerator::Kvm { "kvm" } else { "tcg" };
    let file = memory();
    fs::write(&file, format!("{word} {}\n", host()))
        .with_context(|| format!("cannot write {}", file.display()))
}

fn memory() -> PathBuf {
    checkout::target().join("vm/accelerator")
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}
