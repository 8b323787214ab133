//! The program as it is released: static, on musl, so that it runs on any distribution and on none. The linker is the
//! compiler's own, so no C compiler is needed, for no processor.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::architecture::Architecture;
use crate::build::same_paths;
use crate::{build, checkout, child, setup};

/// Builds it; gives the file.
pub(super) fn build(architecture: Architecture) -> Result<PathBuf> {
    let triple = architecture.static_triple();
    let mut cargo = child::cargo();
    cargo.args(["build", "--quiet", "--release", "--package", "injector", "--bin", "injector"]);
    cargo.args(["--target", triple]);
    build::name_commit(&mut cargo);
    let flags = same_paths::flags(Path::new("rustc"))?;
    let linker = format!("CARGO_TARGET_{}_LINKER", triple.replace('-', "_").to_uppercase());
    cargo.env(linker, "rust-lld").env("CARGO_ENCODED_RUSTFLAGS", same_paths::encoded(&flags));
    child::run(&mut cargo).with_context(|| format!("injector does not build for {triple}"))?;
    let program = checkout::target().join(triple).join("release/injector");
    if !setup::is_static(&program) {
        bail!("{} needs libraries: it was not linked statically", program.display());
    }
    Ok(program)
}
