//! A service that restarts: its cgroup goes, and comes back under the same name.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    board::Board,
    cgroup::{Scratch, spawn_in},
    injector::Injector,
    patience::{LONG, until},
    residue::{Census, Exceptions},
    victim::{self, STEADY, Steady, VISIT},
};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{SLACK, operation};

/// The victim makes a call a millisecond at most, so these take 100 ms or more: the faults act by then.
const CALLS_BEFORE: u64 = 100;

/// A service in a cgroup two below one of the test's: both go with it.
struct Service {
    slice: Scratch,
    running: Option<Child>,
    folder: tempfile::TempDir,
}

impl Service {
    fn new() -> Result<Self> {
        let service = Self { slice: Scratch::new()?, running: None, folder: victim::folder()? };
        service.slice.make("app/web")?;
        Ok(service)
    }

    fn path(&self) -> PathBuf {
        self.slice.path().join("app/web")
    }

    /// Starts it in a cgroup that is made for it.
    fn start(&mut self) -> Result<Board> {
        let (path, board, call) = (self.slice.make("app/web")?, Board::new(1, 0)?, operation()?.name);
        let mut command = victim::command(STEADY, &[call, "1"], &board, self.folder.path())?;
        self.running = Some(spawn_in(&path, &mut command)?);
        Ok(board)
    }

    /// Ends it, and takes its cgroups away.
    fn stop(&mut self) -> Result<()> {
        if let Some(mut running) = self.running.take() {
            running.kill()?;
            running.wait()?;
        }
        let path = self.path();
        until("an empty cgroup", LONG, || Ok(fs::remove_dir(&path).is_ok()))?;
        Ok(fs::remove_dir(path.parent().context("no parent")?)?)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            let _ = running.kill();
            let _ = running.wait();
        }
    }
}

fn attach(path: &Path) -> Result<Injector> {
    Injector::attach(path, &format!("{}:error=EIO", operation()?.name))
}

#[test]
fn a_service_that_restarts_is_met_again_each_time() -> Result<()> {
    let (census, mut service) = (Census::take()?, Service::new()?);
    let mut injector = attach(&service.path())?.json().start()?;
    let id = injector.begun()?;
    service.start()?.wait_faults(LONG)?;
    let mut slowest = Duration::ZERO;
    for round in 0..3 {
        service.stop()?;
        // Gone for a while, or made again before anybody has time to look.
        if round == 0 {
            let note = "went away; its rules act again";
            until("a note", LONG, || Ok(injector.stderr().contains(note)))?;
            let listed = Injector::new(["ps", "--json"])?.expect(0)?.stdout;
            ensure!(listed.contains(&id), "{listed}");
        }
        let board = service.start()?;
        slowest = slowest.max(board.wait_faults(SLACK)?);
        let before = board.tally()?.succeeded;
        eprintln!("{before} calls before the first that failed");
        ensure!(before <= CALLS_BEFORE, "{before} calls in a new cgroup went well");
    }
    eprintln!("a victim that starts with its cgroup fails after {slowest:?} at most");
    // Changed while it is away.
    service.stop()?;
    let rule = format!("inject={}:error=EPERM", operation()?.name);
    Injector::new(["change", &id, "-e", &rule])?.expect(0)?;
    let board = service.start()?;
    board.wait_faults(LONG)?;
    assert_eq!(board.tally()?.error, -i64::from(libc::EPERM));
    service.stop()?;
    // Ended while it is away.
    Injector::new(["stop", &id])?.expect(0)?;
    let finished = injector.finish()?.expect(0)?;
    let report: Value = serde_json::from_str(&finished.stdout).context(finished.stdout)?;
    let returns = report["returns"].as_object().context("no returns")?;
    assert_eq!(returns.values().collect::<Vec<_>>(), [4], "{returns:?}");
    for note in ["went away", "is back"] {
        assert_eq!(finished.stderr.matches(note).count(), 1, "{}", finished.stderr);
    }
    drop(service);
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn what_sits_at_the_cgroup_is_put_at_the_new_one() -> Result<()> {
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut service = Service::new()?;
    let path = service.path();
    let visit = || -> Result<String> {
        let mut command = Command::new(VISIT);
        command.args(["tcp", &local.to_string(), "9"]).stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(String::from_utf8(spawn_in(&path, &mut command)?.wait_with_output()?.stdout)?)
    };
    let words =
        ["attach", "--json", "--net", "tcp : connect=EIO", "--net", "ingress udp : loss 100%", "--cgroup"];
    let mut injector =
        Injector::new(words)?.word(&path).word("--cgroup").word(service.slice.path()).start()?;
    injector.begun()?;
    ensure!(visit()?.contains("EIO"), "not met at first");
    for _ in 0..2 {
        service.stop()?;
        service.slice.make("app/web")?;
        ensure!(visit()?.contains("EIO"), "not met below the other target");
    }
    injector.interrupt()?.expect(0)?;
    let mut injector = Injector::new(words)?.word(&path).start()?;
    injector.begun()?;
    for _ in 0..3 {
        service.stop()?;
        service.slice.make("app/web")?;
        until("a connection that fails", SLACK, || Ok(visit()?.contains("EIO")))?;
    }
    let report = injector.interrupt()?.expect(0)?.report()?;
    // One program at the cgroup, not one more with each return.
    assert_eq!(report.rules[0].fired, 3);
    Ok(())
}

/// One that returns is nothing to the other, which fails all the while.
#[test]
fn of_two_targets_one_returns() -> Result<()> {
    let (census, mut service) = (Census::take()?, Service::new()?);
    let steady = Steady::start(operation()?)?;
    let mut injector = attach(&service.path())?.word("--cgroup").word(steady.cgroup.path()).json().start()?;
    injector.begun()?;
    service.start()?.wait_faults(LONG)?;
    steady.board.wait_faults(LONG)?;
    let before = steady.board.tally()?.succeeded;
    for round in 0..3 {
        service.stop()?;
        assert_eq!(steady.board.next(50)?.succeeded, 0, "round {round}: while the other is away");
        service.start()?.wait_faults(SLACK).with_context(|| format!("round {round}"))?;
    }
    assert_eq!(steady.board.tally()?.succeeded, before);
    let report: Value = serde_json::from_str(&injector.interrupt()?.expect(0)?.stdout)?;
    let returns = report["returns"].as_object().context("no returns")?;
    let names: Vec<_> =
        returns.iter().map(|(name, count)| (name.contains("app/web"), count.as_u64())).collect();
    assert_eq!(names, [(true, Some(3))], "{returns:?}");
    steady.board.wait_relief(SLACK)?;
    drop((service, steady));
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn once_and_a_kill_while_the_target_is_away() -> Result<()> {
    let (census, mut service) = (Census::take()?, Service::new()?);
    let mut injector = attach(&service.path())?.word("--once").start()?;
    injector.begun()?;
    service.stop()?;
    let said = injector.finish()?.expect(0)?.stderr;
    ensure!(said.contains("nothing is left of the targets"), "{said}");

    service.slice.make("app/web")?;
    let mut injector = attach(&service.path())?.start()?;
    injector.begun()?;
    service.stop()?;
    until("a note", LONG, || Ok(injector.stderr().contains("went away")))?;
    injector.signal(Signal::SIGKILL)?;
    injector.finish()?.expect(137)?;
    drop(service);
    census.gone(Exceptions::None)?;
    Ok(())
}

/// Nobody there: said at once, and again at the end.
#[test]
fn a_cgroup_without_a_process_is_told() -> Result<()> {
    let target = Scratch::new()?;
    let said = attach(target.path())?.words(["--for", "2s"]).expect(0)?.stderr;
    for note in ["has no process yet", "had no process whenever"] {
        assert_eq!(said.matches(note).count(), 1, "{said}");
    }
    // A rule that lets it start.
    let rule = format!("{}:error=EIO:when=60000", operation()?.name);
    let mut injector = Injector::attach(target.path(), &rule)?.words(["--for", "1m"]).start()?;
    injector.begun()?;
    let mut sleeper = target.spawn(Command::new("sleep").arg("60"))?;
    std::thread::sleep(Duration::from_secs(2));
    let said = injector.interrupt()?.expect(0)?.stderr;
    ensure!(said.contains("has no process yet") && !said.contains("had no process"), "{said}");
    sleeper.kill()?;
    sleeper.wait()?;
    Ok(())
}
