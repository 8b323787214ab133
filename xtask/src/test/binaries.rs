//! The end-to-end test binaries: built on the host, where they are only listed, never run.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{checkout, child};

const PACKAGE: &str = "injector-tests";

/// An end-to-end test binary.
#[derive(Debug, Clone)]
pub(super) struct Binary {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// How many tests it has, of those that are wanted.
    pub(super) tests: usize,
}

/// The package's folder, in which cargo would run the tests.
pub(super) fn folder() -> PathBuf {
    checkout::root().join("tests")
}

/// Builds them; gives those that hold a test that matches `filter`, the one with most tests first: what takes long is
/// not to begin when all else is done.
pub(super) fn build(filter: Option<&str>) -> Result<Vec<Binary>> {
    let mut cargo = child::cargo();
    cargo.args([
        "test",
        "--quiet",
        "--package",
        PACKAGE,
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    cargo.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = cargo.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the end-to-end tests do not build");
    }
    let mut binaries = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some(mut binary) = artifact(line) else { continue };
        let mut list = Command::new(&binary.path);
        list.args(["--list", "--format", "terse"]).args(filter).current_dir(folder());
        let tests = child::output(&mut list)?;
        binary.tests = tests.lines().filter(|line| line.ends_with(": test")).count();
        if binary.tests > 0 {
            binaries.push(binary);
        }
    }
    binaries.sort_by_key(|binary| Reverse(binary.tests));
    Ok(binaries)
}

/// The test binary that a line of cargo's messages tells of.
fn artifact(line: &str) -> Option<Binary> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_test = message["reason"] == "compiler-artifact" && message["profile"]["test"] == true;
    let path = message["executable"].as_str().filter(|_| is_test)?;
    Some(Binary { name: message["target"]["name"].as_str()?.to_owned(), path: path.into(), tests: 0 })
}

#[cfg(test)]
mod tests {
    use super::artifact;

    #[test]
    fn only_test_executables_count() {
        let line = r#"{"reason":"compiler-artifact","target":{"name":"run","kind":["test"]},"profile":{"test":true},"executable":"/t/run-1"}"#;
        assert_eq!(artifact(line).unwrap().name, "run");
        assert!(artifact(&line.replace("\"/t/run-1\"", "null")).is_none());
        assert!(artifact(r#"{"reason":"build-finished","success":true}"#).is_none());
    }
}
