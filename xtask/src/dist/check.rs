//! Part of `cargo xtask test`: a tarball and a Debian package of the program that the other tests run, to see that all
//! that is installed is in both, and nothing else. `cargo xtask dist` takes minutes; this takes seconds.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Result, bail};

use super::prefix::Prefix;
use super::{checksums, deb, emptied, tar};
use crate::commit::Commit;
use crate::{checkout, child, setup};

/// Where the Debian package has something else than /usr before what the prefix has.
const MOVED: (&str, &str) = ("share/zsh/site-functions/", "share/zsh/vendor-completions/");

/// Makes both of target/release/injector, and compares.
pub(crate) fn run() -> Result<()> {
    setup::ready(&[setup::Group::Deb])?;
    let (commit, program) = (Commit::last()?, checkout::injector());
    let prefix = Prefix::make(&program, &program, None)?;
    let installed = prefix.files()?;
    prefix.sum()?;
    let folder = emptied(&checkout::target().join("dist-check"))?;

    let tarball = folder.join("injector.tar.gz");
    tar::release(&prefix, "injector", &commit, &tarball)?;
    let packed = listed(Command::new("tar").arg("-tzf").arg(&tarball), "injector/")?;
    let expected = installed.iter().cloned().chain([checksums::NAME.to_owned()]);
    compare("tarball", &expected.collect(), &packed)?;

    let package = folder.join("injector.deb");
    deb::make(&prefix, &commit, &package)?;
    let mut pipe = Command::new("sh");
    pipe.args(["-c", "dpkg-deb --fsys-tarfile \"$0\" | tar -t"]).arg(&package);
    let packed = listed(&mut pipe, "./usr/")?;
    let expected = installed.iter().map(|file| file.replace(MOVED.0, MOVED.1));
    compare("Debian package", &expected.chain(["share/doc/injector/copyright".to_owned()]).collect(), &packed)
}

/// The files that `command` lists, without what they all begin with, and without folders.
fn listed(command: &mut Command, before: &str) -> Result<BTreeSet<String>> {
    let said = child::output(command)?;
    let files = said.lines().filter(|line| !line.ends_with('/'));
    Ok(files.map(|line| line.strip_prefix(before).unwrap_or(line).to_owned()).collect())
}

fn compare(what: &str, expected: &BTreeSet<String>, packed: &BTreeSet<String>) -> Result<()> {
    let missing: Vec<_> = expected.difference(packed).collect();
    let unknown: Vec<_> = packed.difference(expected).collect();
    if !missing.is_empty() || !unknown.is_empty() {
        bail!("the {what} lacks {missing:?} and has {unknown:?}; injector/Cargo.toml says what is in it");
    }
    Ok(())
}
