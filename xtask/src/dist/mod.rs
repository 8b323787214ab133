//! `cargo xtask dist`: what people download. One static program for each processor, and around it a tarball, a Debian
//! package, an RPM package and an OCI image, all into target/dist. Each file here makes one of them.
//!
//! The same commit gives the same files: their times are the commit's, and their owner is root.

mod check;
mod checksums;
mod deb;
mod image;
mod names;
mod pages;
mod prefix;
mod program;
mod rpm;
mod sbom;
mod tar;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

pub(crate) use self::check::run as check;
use self::prefix::Prefix;
use crate::architecture::Architecture;
use crate::commit::{self, Commit};
use crate::setup::Group;
use crate::{build, checkout, kernel, setup};

/// Make what people download: tarballs, Debian and RPM packages, and an OCI image, into target/dist
#[derive(Args)]
pub(crate) struct Dist {
    /// Only for this kind of machine; may be given more than once
    #[arg(long, value_name = "TRIPLE", value_parser = kind_of_machine)]
    target: Vec<Architecture>,
    /// Make it of what is not committed as well
    #[arg(long)]
    allow_dirty: bool,
    /// Only see whether the packages of target/release/injector, as it is, have all that they are to have
    #[arg(long, conflicts_with_all = ["target", "allow_dirty", "no_trial"])]
    check: bool,
    /// Do not try it in virtual machines
    #[arg(long)]
    no_trial: bool,
}

impl Dist {
    pub(crate) fn run(self) -> Result<()> {
        if self.check {
            return check();
        }
        let architectures = if self.target.is_empty() { Architecture::ALL.to_vec() } else { self.target };
        let mut groups = vec![Group::Bpf, Group::Dist];
        if !self.no_trial {
            groups.extend(kernel::needs(&trial::KERNELS));
        }
        setup::ready(&groups)?;
        if !self.allow_dirty {
            commit::require_clean()?;
        }
        let commit = Commit::last().context("a release is made of a commit")?;
        build::programs()?;
        let folder = emptied(&checkout::target().join("dist"))?;
        let speaker = program::build(Architecture::host())?;
        let mut prefixes = Vec::new();
        for architecture in architectures {
            let program = program::build(architecture)?;
            let prefix = Prefix::make(&program, &speaker, Some(architecture))?;
            sbom::write(architecture, &commit, &prefix)?;
            prefix.sum()?;
            let name = names::tarball(architecture);
            tar::release(&prefix, &name, &commit, &folder.join(format!("{name}.tar.gz")))?;
            deb::make(&prefix, &commit, &folder.join(names::deb(architecture)))?;
            rpm::make(architecture, &commit, &folder.join(names::rpm(architecture)))?;
            prefixes.push((architecture, prefix));
        }
        image::make(&prefixes, &commit, &folder.join("oci"), &folder.join(names::image()))?;
        if !self.no_trial {
            trial::run(&folder, &prefixes)?;
        }
        let made = names::of_release(&folder)?;
        checksums::write(&folder, &made)?;
        for name in made.iter().map(String::as_str).chain([checksums::NAME]) {
            println!("made {}", checkout::shown(&folder.join(name)));
        }
        Ok(())
    }
}

/// The folder, with nothing in it.
fn emptied(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder.to_owned())
}

fn kind_of_machine(text: &str) -> Result<Architecture> {
    let known = Architecture::ALL.map(Architecture::static_triple);
    match Architecture::ALL.into_iter().find(|kind| kind.static_triple() == text) {
        Some(kind) => Ok(kind),
        None => bail!("no release is made for {text}; there are {}", known.join(" and ")),
    }
}
