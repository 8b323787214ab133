//! The machine that the tests run in: which kernel of the matrix it is, and what that kernel can do.
//! Decided by its name, not by probing: a probe that is wrong would hide what it is to show.

use std::{env, fmt, path::PathBuf};

use anyhow::{Result, bail};

/// A kernel of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// 6.12 with error injection on system calls.
    FaultInjection,
    /// Debian's 6.12 as it is.
    Debian612,
    /// Debian's 6.1 as it is.
    Debian61,
    /// Debian's 6.12 for arm64 as it is.
    Debian612Arm64,
}

impl Kernel {
    /// The one that is running; an error outside of the virtual machines.
    pub fn running() -> Result<Self> {
        match env::var("INJECTOR_TEST_KERNEL").as_deref() {
            Ok("fault-injection") => Ok(Self::FaultInjection),
            Ok("debian-6.12") => Ok(Self::Debian612),
            Ok("debian-6.1") => Ok(Self::Debian61),
            Ok("debian-6.12-arm64") => Ok(Self::Debian612Arm64),
            Ok(other) => bail!("INJECTOR_TEST_KERNEL is `{other}`, which the tests do not know"),
            Err(_) => bail!("{HOW}"),
        }
    }

    /// Whether any system call can be made to fail (`CONFIG_FUNCTION_ERROR_INJECTION`), and return 0
    /// as well (`CONFIG_BPF_KPROBE_OVERRIDE`). Without, only calls that meet a security hook can.
    pub fn injects_calls(self) -> bool {
        self == Self::FaultInjection
    }

    /// Whether calls can be delayed at security hooks: the BPF security module, and Linux 6.12.
    pub fn delays_at_hooks(self) -> bool {
        self != Self::Debian61
    }

    /// Whether packet programs are attached by links that go with their owner (tcx, Linux 6.6).
    pub fn has_tcx(self) -> bool {
        self != Self::Debian61
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FaultInjection => "fault-injection",
            Self::Debian612 => "debian-6.12",
            Self::Debian61 => "debian-6.1",
            Self::Debian612Arm64 => "debian-6.12-arm64",
        })
    }
}

const HOW: &str = "these tests change the kernel they run on, so they run in virtual machines only: \
                   `cargo xtask test [FILTER] [--kernel NAME]` builds them and injector and starts them there";

/// The binary under test.
pub fn injector() -> Result<PathBuf> {
    Kernel::running()?;
    match env::var_os("INJECTOR") {
        Some(path) if is_guest() => Ok(path.into()),
        _ => bail!("{HOW}"),
    }
}

/// The init of `cargo xtask vm` gives the guest this name.
fn is_guest() -> bool {
    nix::unistd::gethostname().is_ok_and(|name| name == "injector-guest")
}

/// Whether to run the long versions: `INJECTOR_TEST_FULL=1`.
pub fn full() -> bool {
    env::var_os("INJECTOR_TEST_FULL").is_some_and(|value| value == "1")
}
