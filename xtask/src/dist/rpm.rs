//! The RPM package, by cargo-generate-rpm. What is in it, injector/Cargo.toml says.

use std::path::Path;

use anyhow::{Context, Result};

use crate::architecture::Architecture;
use crate::commit::Commit;
use crate::{cargo_tool, checkout, child};

/// Makes `file` of the prefix that was made for `architecture`.
pub(super) fn make(architecture: Architecture, commit: &Commit, file: &Path) -> Result<()> {
    let mut cargo = cargo_tool::RPM.command();
    cargo.args(["--package", "injector", "--target", architecture.static_triple()]);
    cargo.arg("--target-dir").arg(checkout::target()).arg("--output").arg(file);
    cargo.env("SOURCE_DATE_EPOCH", commit.time.to_string());
    child::run(&mut cargo).context("cannot make the RPM package")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use crate::child;

    /// What `dist::check` sees of the Debian package is true of the other one, too.
    #[test]
    fn both_packages_take_the_same_files() {
        let mut cargo = child::cargo();
        let said = child::output(cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]));
        let workspace: Value = serde_json::from_str(&said.unwrap()).unwrap();
        let packages = workspace["packages"].as_array().unwrap();
        let injector = packages.iter().find(|package| package["name"] == "injector").unwrap();
        let assets = |tool: &str| injector["metadata"][tool]["assets"].as_array().unwrap().clone();
        let deb: BTreeSet<_> = assets("deb").iter().map(|asset| asset[0].clone().to_string()).collect();
        let rpm = assets("generate-rpm");
        let rpm = rpm.iter().map(|asset| &asset["source"]).filter(|source| !source.is_null());
        assert_eq!(rpm.map(Value::to_string).collect::<BTreeSet<_>>(), deb);
    }
}
