//! Paths of sources in what is built, the same on every machine: messages of a panic name them, and so does the BTF of the
//! BPF programs. Two people who build one commit then get the same bytes, and nobody's home is in them.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{checkout, toolchain};

/// What `rustc`, or another compiler in its place, is to be told.
pub(crate) fn flags(rustc: &Path) -> Result<Vec<String>> {
    let crates = env::var_os("CARGO_HOME").map(PathBuf::from);
    let crates = crates.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let crates = crates.context("there is no home folder, in which cargo keeps the sources of crates")?;
    let library = toolchain::sysroot(rustc).context("rustc does not say where its library is")?;
    // rustup may lead to a toolchain by a link; some of the sources are then seen at its end.
    let real = library.canonicalize().unwrap_or_else(|_| library.clone());
    let maps = [(checkout::root(), "/injector"), (crates, "/cargo"), (library, "/rust"), (real, "/rust")];
    Ok(maps.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).into())
}

/// Flags as cargo takes them from CARGO_ENCODED_RUSTFLAGS: paths may have spaces in them.
pub(crate) fn encoded(flags: &[String]) -> OsString {
    flags.join("\u{1f}").into()
}
