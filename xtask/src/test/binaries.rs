//! The end-to-end test binaries: built on the host, where they are only listed, never run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::architecture::Architecture;
use crate::{build, checkout, child};

const PACKAGE: &str = "injector-tests";

/// An end-to-end test binary.
#[derive(Debug, Clone)]
pub(super) struct Binary {
    pub(super) name: String,
    /// For each kind of machine that it is to run on.
    pub(super) paths: BTreeMap<Architecture, PathBuf>,
    /// How many tests it has, of those that are wanted.
    pub(super) tests: usize,
}

/// The package's folder, in which cargo would run the tests.
pub(super) fn folder() -> PathBuf {
    checkout::root().join("tests")
}

/// Builds them for this machine, and for `others` those named `foreign`, or all; gives those that hold a test that
/// matches `filter`, the one with most tests first: what takes long is not to begin when all else is done.
pub(super) fn build(
    filter: Option<&str>,
    others: &BTreeSet<Architecture>,
    foreign: Option<&str>,
) -> Result<Vec<Binary>> {
    // Here they are only listed, whatever they are for.
    let host = Architecture::host();
    let mut binaries = Vec::new();
    for (name, path) in built(host, None)? {
        let mut list = Command::new(&path);
        list.args(["--list", "--format", "terse"]).args(filter).current_dir(folder());
        let tests = child::output(&mut list)?;
        let tests = tests.lines().filter(|line| line.ends_with(": test")).count();
        if tests > 0 {
            binaries.push(Binary { name, paths: BTreeMap::from([(host, path)]), tests });
        }
    }
    for &other in others.iter().filter(|&&other| other != host) {
        let mut paths = built(other, foreign)?;
        for binary in &mut binaries {
            binary.paths.extend(paths.remove(&binary.name).map(|path| (other, path)));
        }
    }
    binaries.sort_by_key(|binary| Reverse(binary.tests));
    Ok(binaries)
}

/// Builds one of them, or all, for one kind of machine; by name.
fn built(architecture: Architecture, only: Option<&str>) -> Result<BTreeMap<String, PathBuf>> {
    let mut cargo = child::cargo();
    cargo.args(["test", "--quiet", "--package", PACKAGE, "--no-run"]);
    cargo.arg("--message-format=json-render-diagnostics");
    cargo.args(only.iter().flat_map(|name| ["--test", name]));
    if !architecture.is_host() {
        // The library and what it needs are there as the product's build left them.
        cargo.arg("--release");
        if only.is_some() {
            build::hasten(&mut cargo);
        }
    }
    build::compile_for(&mut cargo, architecture)?;
    cargo.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = cargo.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the end-to-end tests do not build for {}", architecture.triple());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(artifact).collect())
}

/// The test binary that a line of cargo's messages tells of.
fn artifact(line: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_test = message["reason"] == "compiler-artifact" && message["profile"]["test"] == true;
    let path = message["executable"].as_str().filter(|_| is_test)?;
    Some((message["target"]["name"].as_str()?.to_owned(), path.into()))
}

#[cfg(test)]
mod tests {
    use super::artifact;

    #[test]
    fn only_test_executables_count() {
        let line = r#"{"reason":"compiler-artifact","target":{"name":"run","kind":["test"]},"profile":{"test":true},"executable":"/t/run-1"}"#;
        assert_eq!(artifact(line).unwrap().0, "run");
        assert!(artifact(&line.replace("\"/t/run-1\"", "null")).is_none());
        assert!(artifact(r#"{"reason":"build-finished","success":true}"#).is_none());
    }
}
