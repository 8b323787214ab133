//! `cargo xtask setup`: says line by line what this machine has of what the project needs, and
//! installs what is missing. The needs come in groups; every other verb calls [`ready`] with its own
//! group, so that nobody has to run this verb by hand.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::architecture::Architecture;
use crate::toolchain::{self, Rustc};
use crate::{child, packages};

/// Find what the build, the virtual machines and the tests need, and install what is missing
///
/// The other verbs do so by themselves, each for its own part. `INJECTOR_BPF_RUSTC` may name the
/// compiler for the BPF programs.
#[derive(Args)]
pub(crate) struct Setup {
    /// Only these groups of needs; all but kernel-build when none is named
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
}

impl Group {
    /// To run virtual machines of this processor.
    pub(crate) fn of_vm(architecture: Architecture) -> Self {
        if architecture == Architecture::Arm64 && !architecture.is_host() { Self::Arm64 } else { Self::Vm }
    }
}

/// One thing that a group needs: a program, or a file that only the package brings.
struct Need {
    sign: Sign,
    package: &'static str,
    why: &'static str,
}

enum Sign {
    Program(&'static str),
    /// A program that needs no libraries.
    StaticProgram(&'static str),
    File(&'static str),
    /// A library's header, found by the C compiler.
    Header(&'static str),
    /// The C compiler makes 32-bit programs.
    Compiles32,
}

const fn program(name: &'static str, package: &'static str, why: &'static str) -> Need {
    Need { sign: Sign::Program(name), package, why }
}

const VM_EMULATOR: Need = if cfg!(target_arch = "aarch64") {
    program("qemu-system-aarch64", "qemu-system-arm", "runs the virtual machines")
} else {
    program("qemu-system-x86_64", "qemu-system-x86", "runs the virtual machines")
};

const VM: &[Need] = &[
    VM_EMULATOR,
    Need {
        sign: Sign::StaticProgram("busybox"),
        package: "busybox-static",
        why: "is the guest's init, without libraries",
    },
];

/// What starts a guest, whatever its processor.
const GUEST: &[Need] = &[
    program("cpio", "cpio", "packs the guest's initramfs"),
    program("depmod", "kmod", "orders the modules of Debian's kernels"),
    program("xz", "xz-utils", "unpacks those modules"),
    program("setpriv", "util-linux", "ends a guest with its xtask"),
];

const ARM64: &[Need] = &[
    program("qemu-system-aarch64", "qemu-system-arm", "runs virtual machines of arm64"),
    program("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu", "compiles and links for arm64"),
    Need {
        sign: Sign::File("/usr/aarch64-linux-gnu/lib/libc.a"),
        package: "libc6-dev-arm64-cross",
        why: "is the C library of arm64",
    },
];

const KERNEL_BUILD: &[Need] = &[
    program("cc", "gcc", "compiles the kernel"),
    program("make", "make", "builds the kernel"),
    program("bc", "bc", "is called by the kernel's build"),
    program("bison", "bison", "is called by the kernel's build"),
    program("flex", "flex", "is called by the kernel's build"),
    program("pahole", "dwarves", "makes the kernel's BTF"),
    program("zstd", "zstd", "compresses the kernel"),
    program("rsync", "rsync", "is called by the kernel's build"),
    Need { sign: Sign::Header("gelf.h"), package: "libelf-dev", why: "is used by the kernel's objtool" },
    Need { sign: Sign::Header("openssl/bio.h"), package: "libssl-dev", why: "is used by the kernel's build" },
    Need {
        sign: Sign::File("/usr/src/linux-source-6.12.tar.xz"),
        package: "linux-source-6.12",
        why: "is the kernel's source",
    },
];

const DEMO: &[Need] = &[
    program("redis-server", "redis-server", "is a victim"),
    program("redis-cli", "redis-tools", "asks the victim"),
    program("ping", "iputils-ping", "sends what is lost"),
];

const TEST: &[Need] = &[
    program("cc", "gcc", "compiles the tests' victims"),
    Need { sign: Sign::Compiles32, package: "gcc-multilib", why: "compiles 32-bit victims" },
    program("redis-server", "redis-server", "is a victim"),
    program("redis-cli", "redis-tools", "asks the victim"),
    program("sqlite3", "sqlite3", "is a victim"),
    program("pg_ctlcluster", "postgresql", "is a victim"),
    program("fio", "fio", "is a victim"),
    program("curl", "curl", "is a victim"),
    program("etcd", "etcd-server", "is a victim"),
    program("etcdctl", "etcd-client", "asks the victim"),
    program("dnsmasq", "dnsmasq-base", "answers the tests' DNS"),
    program("podman", "podman", "starts containers that are victims"),
    program("crun", "crun", "is podman's runtime"),
    program("python3", "python3", "is a victim"),
    program("ip", "iproute2", "makes the tests' networks"),
    program("nft", "nftables", "makes the tests' NAT"),
    program("ping", "iputils-ping", "sends the tests' ICMP"),
    program("pgrep", "procps", "looks for processes left behind"),
];

impl Setup {
    pub(crate) fn run(self) -> Result<()> {
        let groups =
            if self.groups.is_empty() { vec![Group::Bpf, Group::Vm, Group::Test] } else { self.groups };
        let mut complete = true;
        for group in groups {
            let before = lines(group);
            if !self.check
                && let Err(error) = ready(group)
            {
                eprintln!("setup: {error:#}");
            }
            for (line, before) in lines(group).iter().zip(before) {
                let word = match (before.found, line.found) {
                    (true, true) => "found    ",
                    (_, false) => "missing  ",
                    (false, true) => "installed",
                };
                println!("{word} {}", line.text);
                complete &= line.found;
            }
        }
        if !complete {
            bail!("something is missing");
        }
        Ok(())
    }
}

/// Installs what `group` lacks. Says nothing and takes no time when all is there. One at a time.
pub(crate) fn ready(group: Group) -> Result<()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let missing: Vec<&str> =
        needs(group).filter(|need| !found(&need.sign)).map(|need| need.package).collect();
    if !missing.is_empty() {
        packages::install(&missing)?;
    }
    match group {
        Group::Bpf => toolchain::ready().map(drop),
        Group::Arm64 => toolchain::library_ready(Architecture::Arm64),
        _ => Ok(()),
    }
}

fn needs(group: Group) -> impl Iterator<Item = &'static Need> {
    let (own, shared): (&[Need], &[Need]) = match group {
        // The compiler and the linker depend on each other: see `toolchain`.
        Group::Bpf => (&[], &[]),
        Group::Vm => (VM, GUEST),
        Group::Arm64 => (ARM64, GUEST),
        Group::KernelBuild => (KERNEL_BUILD, &[]),
        Group::Demo => (DEMO, &[]),
        Group::Test => (TEST, &[]),
    };
    own.iter().chain(shared)
}

fn found(sign: &Sign) -> bool {
    match sign {
        Sign::Program(name) => child::on_path(name).is_some(),
        Sign::StaticProgram(name) => child::on_path(name).is_some_and(|path| is_static(&path)),
        Sign::File(path) => Path::new(path).exists(),
        Sign::Header(name) => compiles(&["-E", "-include", name]),
        Sign::Compiles32 => compiles(&["-m32", "-shared", "-o", "/dev/null"]),
    }
}

/// Whether an ELF file names no dynamic loader. (Debian's package busybox, which the usual
/// installation brings, does.)
fn is_static(path: &Path) -> bool {
    let Ok(bytes) = std::fs::read(path) else { return false };
    let head = &bytes[..bytes.len().min(4096)];
    !head.windows(4).any(|window| window == b"/ld-")
}

/// Whether the C compiler takes an empty file with these options.
fn compiles(options: &[&str]) -> bool {
    let mut compile = Command::new("cc");
    compile.args(options).args(["-x", "c", "/dev/null"]);
    child::output(&mut compile).is_ok()
}

/// What is said of one need.
struct Line {
    found: bool,
    text: String,
}

/// A line per need of the group; always as many, in the same order.
fn lines(group: Group) -> Vec<Line> {
    if group == Group::Bpf {
        return toolchain_lines();
    }
    let line = |need: &Need| {
        let found = found(&need.sign);
        let name = match need.sign {
            Sign::Program(name) | Sign::StaticProgram(name) => name,
            _ => need.package,
        };
        let what = format!("{name} ({})", need.why);
        let text = if found { what } else { format!("{what}; type: sudo apt-get install {}", need.package) };
        Line { found, text }
    };
    needs(group).map(line).collect()
}

fn toolchain_lines() -> Vec<Line> {
    let rustc = toolchain::compiler();
    let linker = rustc.as_ref().and_then(toolchain::linker_for);
    let first = match &rustc {
        Some(Rustc { path, release, llvm }) => {
            format!("rustc {release} with its library's source ({}, LLVM {llvm})", path.display())
        }
        None => "a rustc with its library's source; type: rustup component add rust-src".to_owned(),
    };
    let second = match &linker {
        Some(path) => format!("bpf-linker that links what this rustc makes ({})", path.display()),
        None => "a bpf-linker that links what this rustc makes; type: cargo xtask setup bpf".to_owned(),
    };
    vec![Line { found: rustc.is_some(), text: first }, Line { found: linker.is_some(), text: second }]
}
