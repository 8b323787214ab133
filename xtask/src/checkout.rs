//! Where things are: the root of the checkout and the target folder, in which xtask keeps all that
//! it makes (kernels, virtual machines' records, tools), so that `cargo clean` removes it.

use std::env;
use std::path::{Path, PathBuf};

use crate::architecture::Architecture;

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable for what it runs; the constant serves a binary that is started by hand.
    let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let manifest = PathBuf::from(manifest);
    manifest.parent().map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// The target folder: `CARGO_TARGET_DIR` where the caller gave one, else `target` in the checkout.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty()) {
        // Cargo reads a relative value from the folder it was called in, which is ours too.
        Some(given) => std::path::absolute(&given).unwrap_or_else(|_| given.into()),
        None => root().join("target"),
    }
}

/// The product that `cargo xtask build` leaves.
pub(crate) fn injector() -> PathBuf {
    injector_for(Architecture::host())
}

/// The same for any machine.
pub(crate) fn injector_for(architecture: Architecture) -> PathBuf {
    built_for(architecture).join("release/injector")
}

/// Where cargo leaves what it builds for `architecture`.
pub(crate) fn built_for(architecture: Architecture) -> PathBuf {
    if architecture.is_host() { target() } else { target().join(architecture.triple()) }
}

/// The BPF object, which the product embeds and its package holds: in the crate itself, where both find it.
pub(crate) fn bpf_object() -> PathBuf {
    root().join("injector/bpf/injector.bpf.o")
}

/// `path` as a person in the current folder would write it.
pub(crate) fn shown(path: &Path) -> String {
    let here = env::current_dir().ok();
    let short = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    short.unwrap_or(path).display().to_string()
}
