//! `cargo xtask package`: the crates as a registry would have them, with the BPF object inside, so that whoever builds
//! from them needs neither a nightly compiler nor bpf-linker. Then the way of such a person: unpacked, built, tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::kernel::{self, Name};
use crate::setup::Group;
use crate::vm::Guest;
use crate::{build, checkout, child, commit, setup};

/// Package the crates with the BPF programs inside, build the package, and inject by it in a virtual machine
///
/// The crates are left in target/package, the program in target/package/build/release.
#[derive(Args)]
pub(crate) struct Package {
    /// Package what is not committed as well
    #[arg(long)]
    allow_dirty: bool,
}

/// In this order, since the second needs the first.
const CRATES: [&str; 2] = ["injector-common", "injector"];

/// Fails a read of one file, and is content only if the command saw it: with `INJECTOR` as `$0`.
const TRIAL: &str = "exec \"$0\" run --expect-fired --io 'read:error=EIO:path=/etc/passwd' -- \
                     sh -c 'cat /etc/passwd; test $? = 1'";

/// Emulated, it takes about a minute.
const LIMIT: Duration = Duration::from_mins(5);

impl Package {
    pub(crate) fn run(self) -> Result<()> {
        if !self.allow_dirty {
            commit::require_clean()?;
        }
        let mut groups = kernel::needs(&[Name::Debian612]);
        groups.push(Group::Bpf);
        setup::ready(&groups)?;
        build::programs()?;
        package()?;
        let [common, injector] = unpacked()?;
        let program = build_unpacked(&common, &injector)?;
        inject(&program)?;
        for name in CRATES {
            println!("packaged {}", checkout::shown(&archive(name)?));
        }
        println!("built {}, which injected", checkout::shown(&program));
        Ok(())
    }
}

/// Both at once: cargo then takes the first for the second's dependency, though no registry has it. What its own
/// verification would do is done by [`build_unpacked`], optimised, so that there is a program to try.
fn package() -> Result<()> {
    let mut cargo = cargo();
    // The object is in no commit, which is as dirty to cargo as a change would be.
    cargo.args(["package", "--quiet", "--no-verify", "--allow-dirty"]);
    cargo.args(CRATES.iter().flat_map(|name| ["--package", name]));
    child::run(&mut cargo).context("the crates cannot be packaged")
}

fn cargo() -> Command {
    let mut cargo = child::cargo();
    cargo.env_remove("RUSTC_BOOTSTRAP");
    cargo
}

fn folder() -> PathBuf {
    checkout::target().join("package")
}

/// A crate's name with its version, which is that of the workspace.
fn full_name(name: &str) -> String {
    format!("{name}-{}", env!("CARGO_PKG_VERSION"))
}

fn archive(name: &str) -> Result<PathBuf> {
    let archive = folder().join(full_name(name) + ".crate");
    if !archive.is_file() {
        bail!("cargo left no {}", archive.display());
    }
    Ok(archive)
}

/// The crates' folders, with nothing in them but what the archives have.
fn unpacked() -> Result<[PathBuf; 2]> {
    for name in CRATES {
        let unpacked = folder().join(full_name(name));
        if unpacked.exists() {
            fs::remove_dir_all(&unpacked).with_context(|| format!("cannot remove {}", unpacked.display()))?;
        }
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(archive(name)?).arg("-C").arg(folder());
        child::run(&mut tar).with_context(|| format!("cannot unpack {name}"))?;
    }
    Ok(CRATES.map(|name| folder().join(full_name(name))))
}

/// Builds the program from the unpacked crate, as `cargo install` would: with the other one in place of the registry's.
fn build_unpacked(common: &Path, injector: &Path) -> Result<PathBuf> {
    let into = folder().join("build");
    let mut cargo = cargo();
    cargo.args(["build", "--quiet", "--release", "--manifest-path"]).arg(injector.join("Cargo.toml"));
    cargo
        .arg("--config")
        .arg(format!("patch.crates-io.injector-common.path={:?}", common.display().to_string()));
    cargo.arg("--target-dir").arg(&into);
    child::run(&mut cargo).context("the packaged crate does not build")?;
    Ok(into.join("release/injector"))
}

/// Has it inject on a stock kernel.
fn inject(program: &Path) -> Result<()> {
    let mut guest = Guest::new(kernel::ready(Name::Debian612)?);
    "package".clone_into(&mut guest.name);
    guest.limit = LIMIT;
    let program = program.display().to_string();
    let outcome = guest.run(&["sh", "-c", TRIAL, &program].map(str::to_owned))?;
    if !outcome.good() {
        let console = checkout::shown(&outcome.folder.join("console.log"));
        bail!("the packaged injector did not inject ({:?}); the console: {console}", outcome.ending);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_holds_the_object_where_there_is_one() {
        let list = |name: &str| {
            let mut cargo = cargo();
            child::output(cargo.args(["package", "--list", "--offline", "--allow-dirty", "--package", name]))
                .unwrap()
        };
        let (injector, common) = (list("injector"), list("injector-common"));
        let has = |list: &str, file: &str| list.lines().any(|line| line == file);
        assert_eq!(has(&injector, "bpf/injector.bpf.o"), checkout::bpf_object().exists());
        for file in ["Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "src/lib.rs"] {
            assert!(has(&injector, file) && has(&common, file), "{file}");
        }
        for file in ["README.md", "build.rs", "build/age.rs", "src/main.rs", "src/syscalls/table.tsv"] {
            assert!(has(&injector, file), "{file}");
        }
        assert!(!injector.lines().any(|file| file.starts_with("tests/")), "{injector}");
    }
}
