//! What the files of a release are called, as each distribution expects it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::architecture::Architecture;

/// The workspace's.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The folder in a tarball, and the tarball without its ending.
pub(super) fn tarball(architecture: Architecture) -> String {
    format!("injector-{VERSION}-{}", architecture.static_triple())
}

/// The `1` is the package's revision, as in injector/Cargo.toml.
pub(super) fn deb(architecture: Architecture) -> String {
    format!("injector_{VERSION}-1_{}.deb", architecture.debian())
}

pub(super) fn rpm(architecture: Architecture) -> String {
    format!("injector-{VERSION}-1.{}.rpm", architecture.rpm())
}

/// One file has the images for all processors.
pub(super) fn image() -> String {
    format!("injector-{VERSION}-oci.tar")
}

/// All files in `folder`, in order.
pub(super) fn of_release(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let files = entries.flatten().filter(|entry| entry.path().is_file());
    let mut names: Vec<String> =
        files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}
