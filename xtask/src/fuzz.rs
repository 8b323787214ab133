//! `cargo xtask fuzz`: the grammar fuzzer of injector/fuzz, for a while. Without a sanitizer, since the
//! grammar has no `unsafe`: so a stable compiler will do.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::{checkout, child};

/// The cargo-fuzz that we install.
const CARGO_FUZZ: &str = "0.13.2";

/// Feed the rules' grammars with texts, the more of the code they reach the longer
///
/// A text that breaks something is kept in target/fuzz/artifacts and named at the end; the corpus of what
/// was tried is kept in target/fuzz/corpus.
#[derive(Args)]
pub(crate) struct Fuzz {
    /// For how long
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
}

impl Fuzz {
    pub(crate) fn run(&self) -> Result<()> {
        child::run(&mut fuzzer(self.seconds)?)
    }
}

/// Fuzzes for so long in silence; an error, with what the fuzzer said, if anything broke.
pub(crate) fn run(seconds: u32) -> Result<()> {
    child::output(&mut fuzzer(seconds)?).map(drop)
}

fn fuzzer(seconds: u32) -> Result<Command> {
    let target = checkout::target().join("fuzz");
    let fuzzer = checkout::root().join("injector/fuzz");
    let corpus = target.join("corpus");
    let artifacts = target.join("artifacts");
    for folder in [&corpus, &artifacts] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut cargo = child::cargo();
    cargo
        .current_dir(checkout::root().join("injector"))
        .args(["fuzz", "run", "--sanitizer", "none", "--target-dir"])
        .arg(&target);
    cargo.arg("grammar").arg(&corpus).arg("--");
    cargo.arg(format!("-max_total_time={seconds}")).args([
        "-max_len=160",
        "-print_final_stats=1",
        "-verbosity=0",
    ]);
    cargo.arg(format!("-dict={}", fuzzer.join("grammar.dict").display()));
    cargo.arg(format!("-artifact_prefix={}/", artifacts.display()));
    // Built once and run for a minute: what counts is the time of both.
    cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1").env("CARGO_TERM_QUIET", "true").env("PATH", path()?);
    Ok(cargo)
}

/// PATH with cargo-fuzz in it, installed if it is missing.
fn path() -> Result<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    if child::on_path("cargo-fuzz").is_some() {
        return Ok(path);
    }
    let tools: PathBuf = checkout::target().join("tools");
    if !tools.join("bin/cargo-fuzz").exists() {
        eprintln!("setup: cargo install cargo-fuzz {CARGO_FUZZ} (a minute, once)");
        let mut cargo = child::cargo();
        cargo
            .args([
                "install",
                "--debug",
                "--quiet",
                "--locked",
                "cargo-fuzz",
                "--version",
                CARGO_FUZZ,
                "--root",
            ])
            .arg(&tools);
        child::run(&mut cargo)?;
    }
    Ok(format!("{}:{path}", tools.join("bin").display()))
}
