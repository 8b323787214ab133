//! SHA256SUMS, as `sha256sum --check` reads it. The digests are those of coreutils, so that nobody has to trust ours.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::child;

/// Where the sums of a folder's files are.
pub(super) const NAME: &str = "SHA256SUMS";

/// Writes the sums of `files`, which are paths in `folder`, into a file beside them.
pub(super) fn write(folder: &Path, files: &[String]) -> Result<()> {
    let sums = child::output(Command::new("sha256sum").arg("--").args(files).current_dir(folder))?;
    let path = folder.join(NAME);
    fs::write(&path, sums + "\n").with_context(|| format!("cannot write {}", path.display()))
}

/// The sum of one file, in hexadecimal.
pub(super) fn of(file: &Path) -> Result<String> {
    let said = child::output(Command::new("sha256sum").arg("--").arg(file))?;
    let sum = said.split_whitespace().next().context("sha256sum said nothing")?;
    // A backslash in front says that the path has characters that it had to write differently.
    Ok(sum.trim_start_matches('\\').to_owned())
}
