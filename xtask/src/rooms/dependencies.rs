//! Dependencies that a crate declares and does not use. The compiler says nothing of them, and each is built by everybody.

use anyhow::{Context, Result};
use serde_json::Value;

use super::graph::Graph;
use crate::{checkout, child};

/// Crates of the workspace whose sources are looked at.
const CRATES: [&str; 5] = ["injector", "injector-common", "injector-ebpf", "xtask", "injector-tests"];

/// What is declared and named nowhere, as `CRATE: DEPENDENCY`. Those of tests and build scripts are left out.
pub(super) fn unused() -> Result<Vec<String>> {
    let mut cargo = child::cargo();
    let said = child::output(cargo.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]))?;
    let metadata: Value =
        serde_json::from_str(&said).context("cargo metadata gave something else than JSON")?;
    let mut unused = Vec::new();
    for package in metadata["packages"].as_array().context("cargo metadata named no packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        if !CRATES.contains(&name) {
            continue;
        }
        let used = if name == "injector-tests" {
            let [own, programs] =
                ["src", "tests"].map(|folder| Graph::at(&checkout::root().join("tests").join(folder)));
            &own?.crates() | &programs?.crates()
        } else {
            Graph::of(name)?.crates()
        };
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let ordinary = dependencies.filter(|dependency| dependency["kind"].is_null());
        for dependency in ordinary.filter_map(|dependency| dependency["name"].as_str()) {
            if !used.contains(&dependency.replace('-', "_")) {
                unused.push(format!("{name}: {dependency}"));
            }
        }
    }
    Ok(unused)
}
