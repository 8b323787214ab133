//! The bill of materials: every crate in the program, with version and licence, in CycloneDX's JSON.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::prefix::{DOC, Prefix};
use crate::architecture::Architecture;
use crate::commit::Commit;
use crate::{cargo_tool, checkout, child};

/// The tool leaves one in the folder of each crate of the workspace, and adds the ending.
const LEFT: &str = "injector.cdx";

/// Adds it to the documentation in `prefix`.
pub(super) fn write(architecture: Architecture, commit: &Commit, prefix: &Prefix) -> Result<()> {
    let name = format!("{LEFT}.json");
    let mut cargo = cargo_tool::SBOM.command();
    cargo.args(["--quiet", "--format", "json", "--spec-version", "1.5", "--override-filename", LEFT]);
    cargo.args(["--target", architecture.static_triple()]);
    cargo.arg("--manifest-path").arg(checkout::root().join("injector/Cargo.toml"));
    // No time but this one is in it, and no number of its own.
    cargo.env("SOURCE_DATE_EPOCH", commit.time.to_string());
    child::run(&mut cargo).context("cannot make the bill of materials")?;
    let text = fs::read_to_string(checkout::root().join("injector").join(&name));
    for left in crates()?.into_iter().map(|folder| folder.join(&name)).filter(|path| path.exists()) {
        fs::remove_file(&left).with_context(|| format!("cannot remove {}", left.display()))?;
    }
    // Whose machine it was made on is nobody's business.
    let here = format!("path+file://{}", checkout::root().display());
    let text = text.context("cargo-cyclonedx left no bill of materials")?.replace(&here, "path+file://");
    let path = prefix.folder.join(DOC).join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The folders of the workspace's crates.
fn crates() -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(checkout::root()).context("cannot read the checkout")?;
    let folders = entries.flatten().map(|entry| entry.path());
    Ok(folders.filter(|folder| folder.join("Cargo.toml").is_file()).collect())
}
