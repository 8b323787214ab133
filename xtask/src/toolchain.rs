//! The BPF toolchain: a rustc that has the source of `core` (the BPF target comes without a built
//! one) and a bpf-linker that reads the bitcode of that very rustc's LLVM. Both are looked for where
//! they may be already; what is missing is installed, the linker into the target folder.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo_tool::CargoTool;
use crate::{checkout, child, packages};

/// The oldest compiler that builds the workspace.
const OLDEST: u32 = 95;
/// The bpf-linker that we install; it can be built with LLVM 21, 22 or 23.
const LINKER: CargoTool = CargoTool { name: "bpf-linker", version: "0.13.0", why: "links the BPF programs" };

/// What `cargo xtask build` needs for the kernel side.
#[derive(Debug)]
pub(crate) struct Toolchain {
    pub(crate) rustc: Rustc,
    pub(crate) linker: PathBuf,
}

/// A compiler with the standard library's source.
#[derive(Debug, Clone)]
pub(crate) struct Rustc {
    pub(crate) path: PathBuf,
    /// As in `rustc -vV`: "1.96.0".
    pub(crate) release: String,
    /// Major version of its LLVM.
    pub(crate) llvm: u32,
}

/// The toolchain, installed as far as it is missing.
pub(crate) fn ready() -> Result<Toolchain> {
    let rustc = match compiler() {
        Some(rustc) => rustc,
        None => install_compiler()?,
    };
    let linker = match linker_for(&rustc) {
        Some(linker) => linker,
        None => install_linker(&rustc)?,
    };
    Ok(Toolchain { rustc, linker })
}

/// Whether the compiler that builds the rest has a standard library for `triple`.
pub(crate) fn has_library(triple: &str) -> bool {
    sysroot(Path::new("rustc")).is_some_and(|root| root.join("lib/rustlib").join(triple).join("lib").is_dir())
}

/// Gets the standard libraries for `triples` as far as they are missing.
pub(crate) fn libraries_ready(triples: &[&str]) -> Result<()> {
    let missing = || triples.iter().copied().filter(|triple| !has_library(triple)).collect::<Vec<_>>();
    if missing().is_empty() {
        return Ok(());
    }
    let by_hand = format!("rustup target add {}", missing().join(" "));
    if child::on_path("rustup").is_none() {
        bail!(
            "the Rust compiler has no standard library for {}, and there is no rustup to get it; install rustup, then \
             type: {by_hand}",
            missing().join(" and ")
        );
    }
    eprintln!("setup: {by_hand}");
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add"]).args(missing()).current_dir(checkout::root());
    child::output(&mut rustup)
        .with_context(|| format!("cannot get a standard library; by hand: {by_hand}"))?;
    if !missing().is_empty() {
        bail!(
            "rustup and the compiler on the PATH are not of one toolchain: {} has still no standard library for {}",
            child::on_path("rustc").unwrap_or_default().display(),
            missing().join(" and ")
        );
    }
    Ok(())
}

/// The first compiler that will do.
pub(crate) fn compiler() -> Option<Rustc> {
    candidates().iter().find_map(|path| usable(path))
}

/// The first one that has clippy beside it.
pub(crate) fn linting() -> Option<Rustc> {
    let mut candidates = candidates();
    candidates.retain(|path| path.with_file_name("cargo-clippy").is_file());
    candidates.iter().find_map(|path| usable(path))
}

/// Where a compiler may be: the one that the caller names in `INJECTOR_BPF_RUSTC` and no other, else
/// the toolchain that builds the rest (a stable one will do), the rustup nightlies, Debian's package.
fn candidates() -> Vec<PathBuf> {
    if let Some(named) = env::var_os("INJECTOR_BPF_RUSTC") {
        return vec![named.into()];
    }
    let active = sysroot(Path::new("rustc")).map(|root| root.join("bin/rustc"));
    let mut all: Vec<PathBuf> = active.into_iter().chain(nightlies()).collect();
    all.push("/usr/bin/rustc".into());
    all
}

fn usable(path: &Path) -> Option<Rustc> {
    let source = sysroot(path)?.join("lib/rustlib/src/rust/library/core/Cargo.toml");
    source.is_file().then_some(())?;
    let mut command = Command::new(path);
    child::without_cargo(&mut command);
    let said = child::output(command.arg("-vV")).ok()?;
    let (release, llvm) = parse_version(&said)?;
    let minor: u32 = release.split('.').nth(1)?.parse().ok()?;
    (minor >= OLDEST).then(|| Rustc { path: path.to_owned(), release, llvm })
}

/// Release and major version of LLVM from `rustc -vV`.
fn parse_version(said: &str) -> Option<(String, u32)> {
    let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let llvm = field("LLVM version:")?.split('.').next()?.parse().ok()?;
    Some((field("release:")?.to_owned(), llvm))
}

/// The folder with a compiler's libraries.
pub(crate) fn sysroot(rustc: &Path) -> Option<PathBuf> {
    let mut command = Command::new(rustc);
    child::without_cargo(&mut command);
    child::output(command.args(["--print", "sysroot"]).current_dir(checkout::root())).ok().map(PathBuf::from)
}

/// The nightly compilers of rustup. Its folder is read instead of asking rustup, which may start to
/// download what is missing.
fn nightlies() -> Vec<PathBuf> {
    let home = env::var_os("RUSTUP_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".rustup")));
    let Some(folder) = home.and_then(|home| home.join("toolchains").read_dir().ok()) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = folder
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("nightly-"))
        .map(|entry| entry.path().join("bin/rustc"))
        .collect();
    found.sort();
    found
}

/// Gets the source for the compiler that is here, else Debian's compiler with its source.
fn install_compiler() -> Result<Rustc> {
    if child::on_path("rustup").is_some() {
        eprintln!("setup: rustup component add rust-src");
        let mut rustup = Command::new("rustup");
        rustup.args(["component", "add", "rust-src"]).current_dir(checkout::root());
        match (child::output(&mut rustup), compiler()) {
            (Ok(_), Some(rustc)) => return Ok(rustc),
            (Ok(_), None) => {}
            (Err(error), _) => eprintln!("setup: {error:#}"),
        }
    }
    let debian = ["rustc-web", "rust-web-src"];
    if packages::manageable()
        && let Err(error) = packages::refresh(&debian)
    {
        eprintln!("setup: {error:#}");
    }
    let minor = |version: String| version.split('.').nth(1)?.parse::<u32>().ok();
    if packages::candidate("rustc-web").and_then(minor).is_some_and(|minor| minor >= OLDEST) {
        packages::install(&debian.map(str::to_owned))?;
    }
    compiler().with_context(|| {
        let packages = packages::by_hand(&debian.map(str::to_owned));
        let or = packages.map(|command| format!(", or: {command}")).unwrap_or_default();
        format!(
            "there is no rustc of at least 1.{OLDEST} with its library's source, which the BPF target needs; type: \
             rustup component add rust-src{or}"
        )
    })
}

/// The linker that we installed earlier, or one on the PATH, if it can read `rustc`'s bitcode.
pub(crate) fn linker_for(rustc: &Rustc) -> Option<PathBuf> {
    [Some(LINKER.path()), child::on_path("bpf-linker")]
        .into_iter()
        .flatten()
        .find(|linker| links(linker, rustc).is_ok())
}

/// Compiles an empty crate for BPF and links it: the only proof that both LLVMs fit together, and
/// it costs 30 ms.
fn links(linker: &Path, rustc: &Rustc) -> Result<()> {
    if !linker.is_file() {
        bail!("there is no {}", linker.display());
    }
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let source = folder.path().join("empty.rs");
    let bitcode = folder.path().join("empty.bc");
    let crate_text =
        "#![feature(no_core)]\n#![allow(internal_features)]\n#![no_core]\n#![crate_type = \"lib\"]\n";
    std::fs::write(&source, crate_text).with_context(|| format!("cannot write {}", source.display()))?;
    let mut compile = Command::new(&rustc.path);
    child::without_cargo(&mut compile);
    compile.env("RUSTC_BOOTSTRAP", "1").args(["--target", "bpfel-unknown-none", "--emit=llvm-bc", "-o"]);
    child::output(compile.arg(&bitcode).arg(&source))?;
    let mut link = Command::new(linker);
    child::without_cargo(&mut link);
    child::output(link.arg("-o").arg(folder.path().join("empty.o")).arg(&bitcode))?;
    Ok(())
}

/// The packages that a bpf-linker for this compiler is built with, and are missing, by Debian's names.
pub(crate) fn missing_packages() -> Vec<String> {
    match compiler() {
        Some(rustc) if linker_for(&rustc).is_none() && llvm(rustc.llvm).is_none() => {
            linker_packages(rustc.llvm)
        }
        _ => Vec::new(),
    }
}

fn linker_packages(llvm: u32) -> Vec<String> {
    vec![format!("llvm-{llvm}-dev"), "zlib1g-dev".to_owned(), "libzstd-dev".to_owned()]
}

/// Where an LLVM of this version is installed: where Debian has it, or Fedora an older one, or anybody the newest.
fn llvm(version: u32) -> Option<PathBuf> {
    let folders =
        [format!("/usr/lib/llvm-{version}"), format!("/usr/lib64/llvm{version}"), "/usr".to_owned()];
    folders.into_iter().map(PathBuf::from).find(|folder| {
        let said = child::output(Command::new(folder.join("bin/llvm-config")).arg("--version"));
        said.is_ok_and(|said| said.split('.').next() == Some(&version.to_string()))
    })
}

fn install_linker(rustc: &Rustc) -> Result<PathBuf> {
    let version = rustc.llvm;
    if llvm(version).is_none() {
        packages::install(&linker_packages(version))?;
    }
    let prefix = llvm(version).with_context(|| {
        format!("there is no LLVM {version}, with which a linker for {} is built", rustc.path.display())
    })?;
    LINKER.install(|cargo| {
        cargo.args(["--features", &format!("llvm-{version}")]).env("LLVM_PREFIX", &prefix);
        // llvm-sys names its variable after its own version: 22.1 is 221.
        cargo.env(format!("LLVM_SYS_{version}1_PREFIX"), &prefix);
    })?;
    linker_for(rustc).with_context(|| {
        format!("the new bpf-linker cannot link what {} makes (LLVM {version})", rustc.path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn reads_release_and_llvm() {
        let said =
            "rustc 1.96.0 (ac68faa20 2026-05-25)\nbinary: rustc\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
        assert_eq!(parse_version(said), Some(("1.96.0".to_owned(), 22)));
        assert_eq!(parse_version("rustc 1.96.0"), None);
    }
}
