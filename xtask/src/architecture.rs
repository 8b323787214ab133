//! The processors that the product is built and tested for, and how each is called: by Debian, by rustc, by QEMU.

use std::env::consts::ARCH;

use clap::ValueEnum;

/// A processor's kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
pub(crate) enum Architecture {
    /// 64-bit x86
    #[value(name = "x86_64-unknown-linux-gnu")]
    X86_64,
    /// 64-bit ARM
    #[value(name = "aarch64-unknown-linux-gnu")]
    Arm64,
}

impl Architecture {
    pub(crate) const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];

    /// This machine's.
    pub(crate) fn host() -> Self {
        if ARCH == "aarch64" { Self::Arm64 } else { Self::X86_64 }
    }

    /// Whether this machine runs its programs.
    pub(crate) fn is_host(self) -> bool {
        self == Self::host()
    }

    /// As in the names of Debian's packages, and in the OCI's images.
    pub(crate) const fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// As in the names of RPM packages.
    pub(crate) const fn rpm(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }

    /// What rustc compiles a program for that needs no libraries.
    pub(crate) const fn static_triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-musl",
            Self::Arm64 => "aarch64-unknown-linux-musl",
        }
    }

    /// What rustc compiles for.
    pub(crate) const fn triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// The C compiler, which links as well.
    pub(crate) fn compiler(self) -> &'static str {
        match self {
            _ if self.is_host() => "cc",
            Self::X86_64 => "x86_64-linux-gnu-gcc",
            Self::Arm64 => "aarch64-linux-gnu-gcc",
        }
    }

    /// The emulator's program, and Debian's package of it.
    pub(crate) const fn emulator(self) -> (&'static str, &'static str) {
        match self {
            Self::X86_64 => ("qemu-system-x86_64", "qemu-system-x86"),
            Self::Arm64 => ("qemu-system-aarch64", "qemu-system-arm"),
        }
    }
}
