//! A runner that is killed, alone or with its warden, leaves nothing, or nothing that `recover` does not take away.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use injector_tests::{
    cgroup::{MOUNT, Scratch},
    guest, patience,
    residue::{Census, Exceptions, wait_gone},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_lab_runner");

/// A runner in a folder of its own.
struct Runner {
    runs: TempDir,
    folder: PathBuf,
    process: Child,
}

impl Runner {
    /// Starts one; it may not be running yet.
    fn begin(freezes: Option<&Path>) -> Result<Self> {
        let runs = tempfile::Builder::new().prefix("runs-").tempdir_in("/tmp")?;
        let folder = runs.path().join("one");
        fs::create_dir(&folder)?;
        let mut program = Command::new(PROGRAM);
        program.arg(&folder).args(freezes).stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(Self { process: program.spawn()?, runs, folder })
    }

    /// Starts one, which runs.
    fn start(freezes: Option<&Path>) -> Result<Self> {
        let mut this = Self::begin(freezes)?;
        let mut said = BufReader::new(this.process.stdout.as_mut().context("no stdout")?);
        let mut line = String::new();
        said.read_line(&mut line)?;
        ensure!(line == "running\n", "{line}");
        Ok(this)
    }

    fn pid(&self) -> Result<Pid> {
        Ok(Pid::from_raw(i32::try_from(self.process.id())?))
    }

    /// Its child of that name.
    fn warden(&self) -> Result<Pid> {
        let pid = self.process.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        let named = |child: &&str| {
            fs::read_to_string(format!("/proc/{child}/comm"))
                .is_ok_and(|name| name.trim() == "injector-warden")
        };
        let warden = children.split_whitespace().find(named).context("it has no warden")?;
        Ok(Pid::from_raw(warden.parse()?))
    }

    fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

/// The cgroups of labs.
fn labs() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::from(MOUNT)];
    while let Some(path) = waiting.pop() {
        for entry in fs::read_dir(path)?.flatten().filter(|entry| entry.path().is_dir()) {
            waiting.push(entry.path());
            if entry.file_name().to_string_lossy().starts_with("injector-lab-") {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// `injector recover`, and what it says.
fn recover(runs: &Path) -> Result<String> {
    let output = Command::new(guest::injector()?).arg("recover").arg(runs).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{} {said}", output.status);
    Ok(said)
}

#[test]
fn a_runner_that_ends_leaves_nothing() -> Result<()> {
    let census = Census::take()?;
    let mut runner = Runner::start(None)?;
    ensure!(labs()?.len() == 1, "{:?}", labs()?);
    ensure!(runner.warden().is_ok());
    drop(runner.process.stdin.take());
    ensure!(runner.process.wait()?.success());
    ensure!(census.left()?.is_empty(), "{:?}", census.left()?);
    Ok(())
}

/// In all that it has done, or in the middle of it.
#[test]
fn the_warden_cleans_up_after_a_runner_that_is_killed() -> Result<()> {
    let census = Census::take()?;
    let scratch = Scratch::new()?;
    fs::write(Path::new(MOUNT).join("cgroup.subtree_control"), "+pids")?;
    let mut sleeper = scratch.spawn(Command::new("sleep").arg("1000"))?;
    let read = |file: &str| fs::read_to_string(scratch.path().join(file)).map(|text| text.trim().to_owned());
    let mut runner = Runner::start(Some(scratch.path()))?;
    ensure!(read("cgroup.freeze")? == "1" && read("pids.max")? == "7");
    let services = fs::read_dir(&labs()?[0])?.flatten().filter(|entry| entry.path().is_dir()).count();
    ensure!(services == 4, "{services}");
    runner.kill()?;
    let took = census.gone(Exceptions::None)?;
    eprintln!("a killed runner's lab is gone after {took:?}");
    patience::until("the warden's work", Duration::from_secs(1), || {
        Ok(read("cgroup.freeze")? == "0" && read("pids.max")? == "max")
    })?;
    let journal = fs::read_to_string(runner.folder.join("journal.jsonl"))?;
    let [will, undone] = ["\"will\"", "\"undone\""].map(|kind| journal.matches(kind).count());
    ensure!(will == 3 && undone == 3, "{journal}");
    sleeper.kill()?;
    sleeper.wait()?;
    ensure!(recover(runner.runs.path())?.contains("nothing is left"));
    Ok(())
}

#[test]
fn a_runner_may_be_killed_at_any_moment() -> Result<()> {
    let census = Census::take()?;
    let rounds = if guest::full() { 200 } else { 20 };
    let start = Instant::now();
    Runner::start(None)?.kill()?;
    let usual = start.elapsed();
    let mut longest = census.gone(Exceptions::None)?;
    for round in 0..rounds {
        let mut runner = Runner::begin(None)?;
        thread::sleep(usual * round / rounds);
        runner.kill()?;
        longest = longest.max(census.gone(Exceptions::None).with_context(|| format!("round {round}"))?);
    }
    eprintln!("{rounds} runners killed within {usual:?}, all gone after {longest:?} at the latest");
    Ok(())
}

#[test]
fn recover_does_it_where_the_warden_was_killed_too() -> Result<()> {
    let census = Census::take()?;
    let scratch = Scratch::new()?;
    fs::write(Path::new(MOUNT).join("cgroup.subtree_control"), "+pids")?;
    let mut runner = Runner::start(Some(scratch.path()))?;
    let (pid, warden) = (runner.pid()?, runner.warden()?);
    // It runs: nothing is to be taken away.
    recover(runner.runs.path())?;
    ensure!(labs()?.len() == 1);
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        kill(warden, signal)?;
        kill(pid, signal)?;
    }
    runner.process.wait()?;
    wait_gone(warden.as_raw().unsigned_abs())?;
    let left = census.left()?;
    ensure!(left.iter().any(|what| what.contains("injector-lab-a-test")), "{left:?}");
    // As a disk that was full leaves it.
    let journal = runner.folder.join("journal.jsonl");
    let mut text = fs::read(&journal)?;
    text.extend_from_slice(b"{\"at\":1,\"kind\":\"serv");
    fs::write(&journal, text)?;
    let said = recover(runner.runs.path())?;
    for what in ["removed the cgroup", "removed the pause", "removed the change"] {
        ensure!(said.contains(what), "{said}");
    }
    census.gone(Exceptions::None)?;
    ensure!(fs::read_to_string(scratch.path().join("cgroup.freeze"))?.trim() == "0");
    ensure!(fs::read_to_string(scratch.path().join("pids.max"))?.trim() == "max");
    ensure!(recover(runner.runs.path())?.contains("nothing is left"));
    Ok(())
}
