//! The Debian package, by cargo-deb. What is in it, injector/Cargo.toml says.

use std::path::Path;

use anyhow::{Context, Result};

use super::prefix::Prefix;
use crate::commit::Commit;
use crate::{cargo_tool, child};

/// Makes `file` of what is in `prefix`.
pub(super) fn make(prefix: &Prefix, commit: &Commit, file: &Path) -> Result<()> {
    let mut cargo = cargo_tool::DEB.command();
    cargo.args(["--quiet", "--package", "injector", "--no-build", "--no-strip", "--locked"]);
    // By the program xz: the tool is built without a library for it.
    cargo.args(["--compress-type", "xz", "--compress-system"]);
    if let Some(architecture) = prefix.architecture {
        cargo.args(["--target", architecture.static_triple()]);
    }
    cargo.arg("--output").arg(file).env("SOURCE_DATE_EPOCH", commit.time.to_string());
    child::output(&mut cargo).context("cannot make the Debian package").map(drop)
}
