//! `cargo xtask build`: the BPF object first, then the product with the object inside. The result is
//! `target/release/injector` (or `target/debug/injector`), which needs no file beside it. The object is
//! the same for every processor: what differs between them, it is told when it is loaded.

#[path = "../../../injector/build/age.rs"]
mod age;
mod debug_info;
pub(crate) mod same_paths;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::architecture::Architecture;
use crate::commit::Commit;
use crate::toolchain::Rustc;
use crate::{checkout, child, setup, toolchain};

/// Build the BPF programs and the injector that carries them: target/release/injector
#[derive(Args)]
pub(crate) struct Build {
    /// Build the user-space side without optimisation, as target/debug/injector
    #[arg(long)]
    debug: bool,
    /// Build for this kind of machine, into the folder of its name in target
    #[arg(long, value_enum, value_name = "TRIPLE")]
    target: Option<Architecture>,
    /// Have the BPF programs tell every decision: RUST_LOG=injector::bpf=trace target/release/injector …
    #[arg(long)]
    bpf_log: bool,
}

impl Build {
    pub(crate) fn run(self) -> Result<()> {
        let architecture = self.target.unwrap_or_else(Architecture::host);
        make(&BTreeSet::from([architecture]), !self.debug, self.bpf_log)?;
        let profile = if self.debug { "debug" } else { "release" };
        let made = checkout::built_for(architecture).join(profile).join("injector");
        println!("built {}", checkout::shown(&made));
        Ok(())
    }
}

/// Both sides for this machine, the user-space one optimised if `release`.
pub(crate) fn all(release: bool) -> Result<()> {
    make(&BTreeSet::from([Architecture::host()]), release, false)
}

/// The kernel side, and the user-space side for each of these; for others than this machine `hastily`, see [`hasten`].
pub(crate) fn all_for(architectures: &BTreeSet<Architecture>, hastily: bool) -> Result<()> {
    object(false)?;
    architectures.iter().try_for_each(|&architecture| product(architecture, true, hastily))
}

/// Has cargo leave the optimizer out, which takes three quarters of the time: for what is run a few times only.
pub(crate) fn hasten(cargo: &mut Command) {
    cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
}

/// The same; `log` for programs that tell their decisions.
fn make(architectures: &BTreeSet<Architecture>, release: bool, log: bool) -> Result<()> {
    object(log)?;
    architectures.iter().try_for_each(|&architecture| product(architecture, release, false))
}

/// The kernel side alone: the BPF object.
pub(crate) fn programs() -> Result<()> {
    object(false)
}

/// The same; `log` for programs that tell their decisions.
fn object(log: bool) -> Result<()> {
    let toolchain = toolchain::ready()?;
    let mut cargo = bpf("build", &toolchain.rustc, Some(&toolchain.linker), log)?;
    child::run(&mut cargo).context("the kernel side (injector-ebpf) does not build")?;
    finish(log)
}

/// Has `injector --version` name the commit. A checkout without git has none, which is no obstacle.
pub(crate) fn name_commit(cargo: &mut Command) {
    if let Ok(commit) = Commit::last() {
        cargo.env("INJECTOR_COMMIT", commit.shown());
    }
}

/// Has cargo compile for `architecture`. C compilers are told as the crate `cc` is told of them.
pub(crate) fn compile_for(cargo: &mut Command, architecture: Architecture) -> Result<()> {
    if architecture.is_host() {
        return Ok(());
    }
    setup::ready(&[setup::Group::of_vm(architecture)])?;
    let triple = architecture.triple();
    let variable = triple.replace('-', "_");
    cargo.args(["--target", triple]);
    cargo.env(format!("CC_{variable}"), architecture.compiler());
    cargo.env(format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()), architecture.compiler());
    Ok(())
}

/// Clippy on injector-ebpf for the BPF target, as it is built for all and as it tells its decisions.
pub(crate) fn bpf_lints(rustc: &Rustc) -> Result<()> {
    [false, true].into_iter().try_for_each(|log| {
        let mut clippy = bpf("clippy", rustc, None, log)?;
        child::run(clippy.args(["--", "-Dwarnings"])).context("clippy on the kernel side (injector-ebpf)")
    })
}

/// Cargo's `verb` on injector-ebpf for the BPF target; `log` for programs that tell their decisions.
fn bpf(verb: &str, rustc: &Rustc, linker: Option<&Path>, log: bool) -> Result<Command> {
    let mut cargo = child::cargo();
    // `-Z` on a compiler that is not a nightly needs the bootstrap variable. `--btf` keeps the types
    // that aya and the verifier's log need; cpu v3 (jmp32, alu32: Linux 5.1) is what every kernel has
    // that can attach these programs.
    let mut flags = same_paths::flags(&rustc.path)?;
    flags.extend(["-Cdebuginfo=2", "-Clink-arg=--btf", "-Ctarget-cpu=v3"].map(str::to_owned));
    flags.extend(linker.map(|linker| format!("-Clinker={}", linker.display())));
    cargo
        .arg(verb)
        .args(["--quiet", "--release", "--package", "injector-ebpf", "--bin", "injector-ebpf"])
        .args(["--target", "bpfel-unknown-none", "-Zbuild-std=core", "--target-dir"])
        .arg(checkout::target().join("bpf"))
        .env("RUSTC", &rustc.path)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", same_paths::encoded(&flags))
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTUP_TOOLCHAIN")
        // What is not optimized does not load.
        .env_remove("CARGO_PROFILE_RELEASE_OPT_LEVEL");
    if log {
        cargo.args(["--features", "log"]);
    }
    // cargo finds its subcommands on the PATH: clippy must be the compiler's own.
    if let Some(folder) = rustc.path.parent() {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&path));
        if let Ok(path) = std::env::join_paths(folders) {
            cargo.env("PATH", path);
        }
    }
    Ok(cargo)
}

/// Checks what the linker made and writes it, without DWARF, where the product's build looks for it.
///
/// An object without BTF loads on no kernel, and a linker of the wrong kind makes one in silence. What tells decisions is
/// not for everybody: `log` says whether it is to be in it.
fn finish(log: bool) -> Result<()> {
    let linked = linked();
    let bytes = fs::read(&linked).with_context(|| format!("cannot read {}", linked.display()))?;
    // ELF machine 247 is BPF; the section's name stands in the table of names.
    if bytes.get(18..20) != Some(&[247, 0]) {
        bail!("{} is no BPF object: another linker than bpf-linker made it", linked.display());
    }
    let names = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    if !names(b".BTF\0") {
        bail!("{} has no .BTF section: the linker was not given --btf", linked.display());
    }
    if names(b"AYA_LOGS\0") != log {
        let has = if log { "has no" } else { "has a" };
        bail!(
            "{} {has} map for messages: injector-ebpf's feature log is not what was asked for",
            linked.display()
        );
    }
    let (object, without) = (checkout::bpf_object(), debug_info::remove(&bytes)?);
    // An untouched file keeps the product from being built again. One that is older than a source would not be taken.
    if fs::read(&object).is_ok_and(|there| there == without) && age::is_current(&object, &checkout::root())? {
        return Ok(());
    }
    fs::write(&object, without).with_context(|| format!("cannot write {}", object.display()))
}

/// What bpf-linker makes.
fn linked() -> PathBuf {
    checkout::target().join("bpf/bpfel-unknown-none/release/injector-ebpf")
}

fn product(architecture: Architecture, release: bool, hastily: bool) -> Result<()> {
    let mut cargo = child::cargo();
    cargo.args(["build", "--quiet", "--package", "injector", "--bin", "injector"]);
    if release {
        cargo.arg("--release");
    }
    name_commit(&mut cargo);
    compile_for(&mut cargo, architecture)?;
    if hastily && !architecture.is_host() {
        hasten(&mut cargo);
    }
    child::run(&mut cargo).context("the user-space side (injector) does not build")?;
    Ok(())
}
