//! Programs that others publish as crates: built by cargo into the target folder, so that nothing outside is changed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{checkout, child};

/// A program, at the version that we know how to call.
pub(crate) struct CargoTool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) why: &'static str,
}

pub(crate) const DEB: CargoTool =
    CargoTool { name: "cargo-deb", version: "3.8.0", why: "makes the Debian package" };
pub(crate) const RPM: CargoTool =
    CargoTool { name: "cargo-generate-rpm", version: "0.21.1", why: "makes the RPM package" };
pub(crate) const SBOM: CargoTool =
    CargoTool { name: "cargo-cyclonedx", version: "0.5.9", why: "makes the bill of materials" };

impl CargoTool {
    /// Whether this version was built here.
    pub(crate) fn found(&self) -> bool {
        // Cargo's own list, which `cargo install --list` reads.
        let entry = format!("\"{} {} (", self.name, self.version);
        fs::read_to_string(folder().join(".crates.toml")).is_ok_and(|list| list.contains(&entry))
    }

    /// Where it is when it was built.
    pub(crate) fn path(&self) -> PathBuf {
        folder().join("bin").join(self.name)
    }

    /// Builds it. `more` is said to cargo as well.
    pub(crate) fn install(&self, more: impl FnOnce(&mut Command)) -> Result<()> {
        let Self { name, version, .. } = self;
        eprintln!("setup: cargo install {name} {version} (a minute or more, once)");
        let mut cargo = child::cargo();
        cargo.args(["install", name, "--version", version, "--quiet", "--locked", "--no-default-features"]);
        cargo
            .arg("--root")
            .arg(folder())
            // To build it takes longer than it ever runs.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            // Without it, cargo builds in a temporary folder and removes that.
            .env_remove("CARGO_TARGET_DIR");
        more(&mut cargo);
        child::run(&mut cargo).with_context(|| format!("cannot build {name}"))
    }

    /// Cargo with this as its verb, on the checkout.
    pub(crate) fn command(&self) -> Command {
        let mut cargo = child::cargo();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(folder().join("bin")).chain(std::env::split_paths(&path));
        if let Ok(path) = std::env::join_paths(folders) {
            cargo.env("PATH", path);
        }
        cargo.arg(self.name.trim_start_matches("cargo-"));
        cargo
    }
}

fn folder() -> PathBuf {
    checkout::target().join("tools")
}
