//! The measuring program, xtask/bench/meter.c: compiled on the host, run in the guest.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{checkout, child};

/// Where the compiled program is.
fn program() -> PathBuf {
    checkout::target().join("bench/meter")
}

/// Compiles it.
pub(super) fn build() -> Result<()> {
    let program = program();
    if let Some(folder) = program.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command.args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(program);
    let sources = checkout::root().join("xtask/bench");
    command.args(["meter.c", "empty.c", "programs.c", "traffic.c"].map(|source| sources.join(source)));
    child::run(&mut command).context("the measuring program does not build")
}

/// The program, ready to measure.
pub(super) struct Meter {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Meter {
    /// Starts it in `cgroup`, with programs that do nothing at the places `empty`; returns when all that
    /// is done.
    pub(super) fn start(cgroup: &str, empty: &[&str], calls: &[&str]) -> Result<Self> {
        let mut options = vec!["--cgroup", cgroup];
        for place in empty {
            options.extend(["--attach", place]);
        }
        Self::start_with(&options, calls)
    }

    /// One that does nothing, in `cgroup` and in a network namespace of its own, as in a container.
    pub(super) fn contained(cgroup: &str) -> Result<Self> {
        Self::start_with(&["--cgroup", cgroup, "--unshare", "net"], &[])
    }

    fn start_with(options: &[&str], calls: &[&str]) -> Result<Self> {
        let mut command = Command::new(program());
        command.args(options).args(calls).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().context("cannot start the measuring program")?;
        let stdin = process.stdin.take().context("no stdin")?;
        let mut stdout = BufReader::new(process.stdout.take().context("no stdout")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        if line != "ready\n" {
            bail!("`{}` ended early", child::shown(&command));
        }
        Ok(Self { process, stdin, stdout })
    }

    /// Its process number.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Has it measure; the instructions of each call, by the call's name.
    pub(super) fn measure(mut self) -> Result<Vec<(String, i64)>> {
        self.stdin.write_all(b"\n")?;
        let mut said = String::new();
        self.stdout.read_to_string(&mut said)?;
        let status = self.process.wait()?;
        if !status.success() {
            bail!("the measuring program failed: {status}");
        }
        let figure = |line: &str| {
            let (call, figure) = line.split_once(' ')?;
            Some((call.to_owned(), figure.parse().ok()?))
        };
        said.lines().map(|line| figure(line).with_context(|| format!("no figure: {line:?}"))).collect()
    }

    /// Ends it without measuring.
    pub(super) fn dismiss(self) -> Result<()> {
        let Self { mut process, stdin, stdout } = self;
        drop((stdin, stdout));
        process.wait().map(drop).context("cannot wait for the measuring program")
    }
}
