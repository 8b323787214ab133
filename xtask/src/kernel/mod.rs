//! The kernel matrix: one kernel with error injection, built from Debian's source with our own
//! fragment, and Debian's stock kernels as they are. `cargo xtask kernel` gets them into
//! `target/kernels`; who boots one calls [`ready`], which gets only what is missing.

mod fragment;
mod image;
mod modules;
mod source;
mod stock;

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::architecture::Architecture;
use crate::checkout;
use crate::setup::Group;

/// Get the kernels that the tests boot: download Debian's, build the one with error injection
///
/// They go to target/kernels. `INJECTOR_KERNEL_CACHE` may name a folder to look in first: one like
/// target/kernels, or one with a bzImage, the faultinject.config it was made from, and SHA256SUMS.
#[derive(Args)]
pub(crate) struct Verb {
    /// Only these kernels
    #[arg(value_enum)]
    names: Vec<Name>,
    /// Only list the kernels and what is there
    #[arg(long)]
    list: bool,
}

/// A kernel of the matrix.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Name {
    /// 6.12 with error injection on system calls: every mechanism works
    FaultInjection,
    /// Debian's 6.12 as it is: no error injection, tcx
    #[value(name = "debian-6.12")]
    Debian612,
    /// Debian's 6.1 as it is: no error injection, no tcx
    #[value(name = "debian-6.1")]
    Debian61,
    /// Debian's 6.12 for arm64 as it is
    #[value(name = "debian-6.12-arm64")]
    Debian612Arm64,
}

impl Name {
    /// The matrix, the kernel with every mechanism first.
    pub(crate) const ALL: [Self; 4] =
        [Self::FaultInjection, Self::Debian612, Self::Debian61, Self::Debian612Arm64];

    /// What it runs on.
    pub(crate) const fn architecture(self) -> Architecture {
        match self {
            Self::FaultInjection | Self::Debian612 | Self::Debian61 => Architecture::X86_64,
            Self::Debian612Arm64 => Architecture::Arm64,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::FaultInjection => "fault-injection",
            Self::Debian612 => "debian-6.12",
            Self::Debian61 => "debian-6.1",
            Self::Debian612Arm64 => "debian-6.12-arm64",
        })
    }
}

/// A kernel that can be booted.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    pub(crate) name: Name,
    /// What QEMU starts: a bzImage, or an ELF file with a PVH entry.
    pub(crate) image: PathBuf,
    /// `…/lib/modules/VERSION`; none if all is built in.
    pub(crate) modules: Option<PathBuf>,
}

impl Kernel {
    /// The modules to load before a file system is there, in order; relative to `modules`.
    pub(crate) fn early_modules(&self) -> Result<Vec<PathBuf>> {
        self.modules.as_deref().map_or_else(|| Ok(Vec::new()), modules::needed)
    }
}

impl Verb {
    pub(crate) fn run(self) -> Result<()> {
        let names = if self.names.is_empty() { Name::ALL.to_vec() } else { self.names };
        for name in names {
            let kernel = if self.list { present(name) } else { Some(newest(name)?) };
            match kernel {
                Some(kernel) => println!("{name:<18} {}", checkout::shown(&kernel.image)),
                None => println!("{name:<18} not here yet; type: cargo xtask kernel {name}"),
            }
        }
        Ok(())
    }
}

/// The kernel as it is here, else got now.
pub(crate) fn ready(name: Name) -> Result<Kernel> {
    present(name).map_or_else(|| newest(name), Ok)
}

/// What it takes to get and to boot these kernels.
pub(crate) fn needs(names: &[Name]) -> Vec<Group> {
    let mut groups: Vec<Group> = names.iter().map(|name| Group::of_vm(name.architecture())).collect();
    let built = |name: &Name| *name == Name::FaultInjection && present(*name).is_none() && cache().is_none();
    if names.iter().any(built) {
        groups.push(Group::KernelBuild);
    }
    groups
}

fn present(name: Name) -> Option<Kernel> {
    match name {
        Name::FaultInjection => source::present(),
        Name::Debian612 | Name::Debian61 | Name::Debian612Arm64 => stock::present(name),
    }
}

fn newest(name: Name) -> Result<Kernel> {
    match name {
        Name::FaultInjection => source::get(),
        Name::Debian612 | Name::Debian61 | Name::Debian612Arm64 => stock::get(name),
    }
}

/// The folder that all kernels go to.
fn store() -> PathBuf {
    checkout::target().join("kernels")
}

/// A folder of somebody else's with kernels in it, which is only read.
fn cache() -> Option<PathBuf> {
    env::var_os("INJECTOR_KERNEL_CACHE").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The folders in the store, and in the cache, whose names begin like that; the newest version last.
fn stored(prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = [cache(), Some(store())]
        .into_iter()
        .flatten()
        .filter_map(|folder| folder.read_dir().ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| path.is_dir() && file_name(path).starts_with(prefix))
        .collect();
    found.sort_by_key(|path| version_key(&file_name(path)));
    found
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Sorts `6.1.9` before `6.1.10`: numbers by value, the rest as text.
fn version_key(text: &str) -> Vec<(u64, String)> {
    let mut key = vec![(0_u64, String::new())];
    for c in text.chars() {
        let Some((number, rest)) = key.last_mut() else { break };
        match c.to_digit(10) {
            Some(digit) if rest.is_empty() => {
                *number = number.saturating_mul(10).saturating_add(u64::from(digit));
            }
            Some(digit) => key.push((digit.into(), String::new())),
            None => rest.push(c),
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::version_key;

    #[test]
    fn versions_sort_by_number() {
        assert!(version_key("debian-6.1-6.1.9-1") < version_key("debian-6.1-6.1.10-1"));
        assert!(version_key("6.12.117-1~deb12u1") < version_key("6.12.117-1~deb12u2"));
    }
}
