//! One of each: what shows in a minute or two whether the injector works on a machine at all. In a run of everything,
//! emulated arm64 runs this alone.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    cgroup::{Scratch, spawn_in},
    guest::Kernel,
    injector::Injector,
    network::Echo,
    residue::{Census, Exceptions},
    victim::{self, READ, Shape, Steady},
};
use nix::sys::signal::Signal;
use serde_json::Value;

/// For a victim to be asked and to answer, on an emulated machine that others use as well.
const SLACK: Duration = Duration::from_secs(5);

#[test]
fn the_doctor_says_what_works() -> Result<()> {
    let kernel = Kernel::running()?;
    let finished = Injector::new(["doctor", "--json"])?.expect(0)?;
    let all: Value = serde_json::from_str(&finished.stdout)?;
    let mechanisms = all["mechanisms"].as_array().context("no mechanisms")?;
    for (name, works) in [
        ("process_tree", true),
        ("fmod_ret", kernel.injects_calls()),
        ("hook", true),
        ("call_delay_hook", kernel.delays_at_hooks()),
        ("cgroup_skb", true),
        ("tcx", kernel.has_tcx()),
        ("sockets", true),
    ] {
        let found = mechanisms.iter().find(|found| found["mechanism"] == name).context(name)?;
        assert_eq!(found["available"], works, "{found:#}");
    }
    Ok(())
}

#[test]
fn the_calls_that_a_rule_means_fail() -> Result<()> {
    let folder = victim::folder()?;
    let rule = ["-e", "inject=read:error=EIO:when=3+2"].map(str::to_owned);
    let (board, finished) = victim::run_calls(&rule, "read", Shape::single(8), folder.path())?;
    let failed: Vec<usize> = board.failures(0)?.iter().map(|(call, _)| *call).collect();
    assert_eq!(failed, [3, 5, 7]);
    ensure!(board.failures(0)?.iter().all(|(_, error)| *error == libc::EIO), "{:?}", board.failures(0)?);
    assert_eq!(finished.log.len(), 3);
    Ok(())
}

#[test]
fn a_call_is_delayed() -> Result<()> {
    let injector = Injector::run("openat:delay_enter=400ms:when=1")?.json().command(&["cat", "/etc/passwd"]);
    if !Kernel::running()?.delays_at_hooks() {
        injector.expect(125)?;
        return Ok(());
    }
    let census = Census::take()?;
    let (start, finished) = (Instant::now(), injector.expect(0)?);
    ensure!(start.elapsed() >= Duration::from_millis(400), "{:?}", start.elapsed());
    let report = finished.report()?;
    assert_eq!((report.rules[0].fired, report.missed), (1, 0), "{}", finished.stderr);
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn packets_are_lost_in_the_target_alone() -> Result<()> {
    let (target, echo) = (Scratch::new()?, Echo::start(IpAddr::V4(Ipv4Addr::LOCALHOST))?);
    let rule = format!("udp dport {} : loss 100%", echo.port);
    target.spawn(Command::new("sleep").arg("1000"))?;
    let injector = Injector::new(["attach", "--json", "--net", &rule, "--cgroup"])?.word(target.path());
    let mut injector = injector.start()?;
    injector.begun()?;
    let mut sender = Command::new(victim::DATAGRAMS);
    sender.args(["127.0.0.1", &echo.port.to_string(), "5", "2"]).stdin(Stdio::null()).stdout(Stdio::null());
    ensure!(sender.status()?.success());
    assert_eq!(echo.take().len(), 5, "an outsider's packets were lost");
    spawn_in(target.path(), &mut sender)?.wait()?;
    assert_eq!(echo.take().len(), 0);
    let counts = &injector.interrupt()?.expect(0)?.report()?.rules[0];
    assert_eq!((counts.matched, counts.fired), (5, 5));
    Ok(())
}

#[test]
fn death_leaves_nothing() -> Result<()> {
    let (victim, census) = (Steady::start(READ)?, Census::take()?);
    let options = ["--net", "both : loss 1%"];
    let mut injector = Injector::attach(victim.cgroup.path(), "read:error=EIO")?.words(options).start()?;
    injector.begun()?;
    victim.board.wait_faults(SLACK)?;
    injector.signal(Signal::SIGKILL)?;
    assert_eq!(injector.finish()?.code, 137);
    census.gone(Exceptions::Named)?;
    victim.board.wait_relief(SLACK)?;
    Ok(())
}

#[test]
fn a_change_acts_on_a_live_plan() -> Result<()> {
    let victim = Steady::start(READ)?;
    let mut injector = Injector::attach(victim.cgroup.path(), "read:error=EIO")?.start()?;
    let id = injector.begun()?;
    victim.board.wait_faults(SLACK)?;
    Injector::new(["change", &id, "-e", "inject=read:error=EIO:when=60000"])?.expect(0)?;
    victim.board.wait_relief(SLACK)?;
    injector.interrupt()?.expect(0)?;
    Ok(())
}
