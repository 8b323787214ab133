//! What is installed, as it would lie below /usr or /usr/local: the tarball has it as it is, and the packages take their
//! files from it (`package.metadata` in injector/Cargo.toml). It is beside the program, where cargo-deb and
//! cargo-generate-rpm look for what was built.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{checksums, emptied, pages};
use crate::architecture::Architecture;
use crate::checkout;

/// The folder.
#[derive(Debug)]
pub(super) struct Prefix {
    pub(super) folder: PathBuf,
    /// What it is for; none for the program as `cargo xtask build` makes it.
    pub(super) architecture: Option<Architecture>,
}

/// Where documentation goes.
pub(super) const DOC: &str = "share/doc/injector";

/// What has to be read with the program, from the checkout's root.
const DOCUMENTS: [&str; 6] =
    ["README.md", "CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "LICENSE-APACHE", "LICENSE-MIT"];
/// Folders of which all files go with it.
const FOLDERS: [&str; 5] = ["docs", "examples", "examples/experiments", "examples/shop", "examples/sidecar"];

impl Prefix {
    /// Makes it for `program`. `speaker` is the same program for this machine, and says what its man pages are.
    pub(super) fn make(program: &Path, speaker: &Path, architecture: Option<Architecture>) -> Result<Self> {
        let folder = emptied(&program.with_file_name("prefix"))?;
        copy(program, &folder.join("bin/injector"), 0o755)?;
        pages::write(speaker, &folder)?;
        let (root, doc) = (checkout::root(), folder.join(DOC));
        for name in DOCUMENTS {
            copy(&root.join(name), &doc.join(name), 0o644)?;
        }
        for name in FOLDERS {
            let entries = fs::read_dir(root.join(name)).with_context(|| format!("cannot read {name}"))?;
            for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
                let named = entry.path().extension().is_some_and(|extension| extension == "sh");
                let script =
                    named || entry.metadata().is_ok_and(|data| data.permissions().mode() & 0o100 != 0);
                let mode = if script { 0o755 } else { 0o644 };
                copy(&entry.path(), &doc.join(name).join(entry.file_name()), mode)?;
            }
        }
        Ok(Self { folder, architecture })
    }

    /// Adds the checksums of all that is in it.
    pub(super) fn sum(&self) -> Result<()> {
        checksums::write(&self.folder, &self.files()?)
    }

    /// All files, by their paths in it, in order.
    pub(super) fn files(&self) -> Result<Vec<String>> {
        let mut files = Vec::new();
        gather(&self.folder, "", &mut files)?;
        files.sort();
        Ok(files)
    }
}

fn gather(folder: &Path, path: &str, files: &mut Vec<String>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = format!("{path}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            gather(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push(name);
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let copied = || -> std::io::Result<()> {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(from, to)?;
        fs::set_permissions(to, fs::Permissions::from_mode(mode))
    };
    copied().with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}
