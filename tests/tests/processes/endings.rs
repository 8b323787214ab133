//! The end of a pause whatever becomes of the injector: killed, stopped, with its warden or without, ended by somebody
//! else; of cgroups and of process trees.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    clock::{self, Clock},
    injector::{Injector, Running},
    patience,
    residue::{Census, Exceptions, wait_gone},
    victim,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{attach, begun, clock, counts, is_stopped, value, wait_still};

/// Within which all go on, after the death of the injector. Emulation on a busy host gets more.
fn promise() -> Duration {
    let emulated = fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("QEMU TCG"));
    Duration::from_secs(if emulated { 3 } else { 1 })
}

/// It goes on within the promise from now on.
fn goes_on(clock: &Clock, since: Duration) -> Result<()> {
    clock.ticks()?;
    let gap = clock.gaps()?.pop().context("it never stood still")?;
    let took = gap.to.saturating_sub(since);
    eprintln!("it went on after {took:?}");
    ensure!(took < promise(), "it went on after {took:?}");
    Ok(())
}

fn send(pid: u32, signal: Signal) -> Result<()> {
    Ok(kill(Pid::from_raw(i32::try_from(pid)?), signal)?)
}

#[test]
fn the_death_of_the_injector_ends_a_pause() -> Result<()> {
    let (cgroup, clock) = clock()?;
    let census = Census::take()?;
    for round in 0..2 {
        let injector = begun(attach(cgroup.path(), "pause")?)?;
        wait_still(&clock)?;
        let now = clock::now()?;
        injector.signal(Signal::SIGKILL)?;
        injector.finish()?;
        goes_on(&clock, now).with_context(|| format!("round {round}"))?;
        ensure!(value(cgroup.path(), "cgroup.freeze")? == "0");
        census.gone(Exceptions::None)?;
    }
    Ok(())
}

#[test]
fn stop_ends_a_pause_and_so_does_a_lease_that_passes() -> Result<()> {
    let (cgroup, clock) = clock()?;
    let mut injector = attach(cgroup.path(), "pause")?.start()?;
    let id = injector.begun()?;
    wait_still(&clock)?;
    let now = clock::now()?;
    Injector::new(["stop", &id])?.expect(0)?;
    goes_on(&clock, now)?;
    injector.finish()?.expect(0)?;
    // One that is stopped itself: its lease is 10 s.
    let injector = begun(attach(cgroup.path(), "pause")?)?;
    wait_still(&clock)?;
    injector.signal(Signal::SIGSTOP)?;
    let now = clock::now()?;
    clock.ticks()?;
    let took = clock::now()?.saturating_sub(now);
    ensure!(took < Duration::from_secs(10) + promise(), "it went on after {took:?}");
    // It takes its lease up again, and the pause.
    injector.signal(Signal::SIGCONT)?;
    wait_still(&clock)?;
    injector.interrupt()?.expect(0)?;
    clock.ticks()
}

#[test]
fn what_both_deaths_leave_is_undone_by_recover() -> Result<()> {
    let (cgroup, clock) = clock()?;
    let census = Census::take()?;
    let injector = begun(attach(cgroup.path(), "pause")?)?;
    wait_still(&clock)?;
    let warden = injector.helper("injector-warden")?;
    // Stopped first, so that it cannot do its work in between.
    send(warden, Signal::SIGSTOP)?;
    injector.signal(Signal::SIGKILL)?;
    injector.finish()?;
    send(warden, Signal::SIGKILL)?;
    wait_gone(warden)?;
    ensure!(clock.stands()? && value(cgroup.path(), "cgroup.freeze")? == "1");
    let recovered = Injector::new(["recover"])?.expect(0)?;
    ensure!(recovered.stderr.contains("removed the pause of"), "{}", recovered.stderr);
    clock.ticks()?;
    let again = Injector::new(["recover"])?.expect(0)?;
    ensure!(again.stderr.contains("nothing is left"), "{}", again.stderr);
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn without_its_warden_the_injector_pauses_nobody() -> Result<()> {
    let (cgroup, clock) = clock()?;
    let injector = begun(attach(cgroup.path(), "pause")?)?;
    wait_still(&clock)?;
    // No signal that it could take.
    send(injector.helper("injector-warden")?, Signal::SIGTERM)?;
    wait_still(&clock)?;
    send(injector.helper("injector-warden")?, Signal::SIGKILL)?;
    clock.ticks()?;
    let finished = injector.interrupt()?.expect(0)?;
    ensure!(finished.stdout.contains("injector-warden was ended from outside"), "{}", finished.stdout);
    ensure!(counts(&finished)?.fired == 1);
    Ok(())
}

/// A shell with two clocks as its children, which end with it.
struct Tree {
    shell: Child,
    folder: tempfile::TempDir,
}

impl Tree {
    fn start() -> Result<Self> {
        let folder = victim::folder()?;
        let script = format!("{0} >a & {0} >b & wait", victim::CLOCK);
        let mut command = Command::new("sh");
        let shell = command.args(["-c", &script]).current_dir(folder.path()).stdin(Stdio::null()).spawn()?;
        let tree = Self { shell, folder };
        tree.run()?;
        Ok(tree)
    }

    fn last(&self) -> [Option<Duration>; 2] {
        let file = |name| self.folder.path().join(name);
        ["a", "b"].map(|name| clock::times(&file(name)).unwrap_or_default().last().copied())
    }

    /// Waits until all run.
    fn run(&self) -> Result<()> {
        let before = self.last();
        patience::until("clocks that run", patience::LONG, || {
            let now = self.last();
            Ok(now.iter().zip(&before).all(|(now, before)| now.is_some() && now != before))
        })?;
        ensure!(!is_stopped(self.shell.id())?);
        Ok(())
    }

    /// Waits until all are stopped.
    fn stand(&self) -> Result<()> {
        patience::until("clocks that stand still", patience::LONG, || {
            let still = |last: Duration| clock::now().unwrap_or_default().saturating_sub(last) > clock::STILL;
            Ok(self.last().into_iter().flatten().all(still))
        })?;
        ensure!(is_stopped(self.shell.id())?);
        Ok(())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let children = format!("/proc/{0}/task/{0}/children", self.shell.id());
        for child in fs::read_to_string(children).unwrap_or_default().split_whitespace() {
            let _ = child.parse().map(|pid| send(pid, Signal::SIGKILL));
        }
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

#[test]
fn a_process_tree_is_stopped_and_goes_on() -> Result<()> {
    let (tree, census) = (Tree::start()?, Census::take()?);
    let attach = || -> Result<Running> {
        let pid = tree.shell.id().to_string();
        begun(Injector::new(["attach", "--json", "--process", "pause", "--pid", &pid])?.logged())
    };
    let injector = attach()?;
    tree.stand()?;
    ensure!(injector.stderr().contains("SIGSTOP"), "{}", injector.stderr());
    let finished = injector.interrupt()?.expect(0)?;
    tree.run()?;
    ensure!(counts(&finished)?.fired == 1 && finished.log[0]["backend"] == "pidfd", "{:?}", finished.log);
    // Killed in the middle.
    let injector = attach()?;
    tree.stand()?;
    let now = clock::now()?;
    injector.signal(Signal::SIGKILL)?;
    injector.finish()?;
    tree.run()?;
    let took = clock::now()?.saturating_sub(now);
    ensure!(took < promise(), "it went on after {took:?}");
    census.gone(Exceptions::None)?;
    Ok(())
}
