//! Signals to processes: to whom, and drawn from the seed.

use std::{collections::BTreeSet, process::Command, thread::sleep, time::Duration};

use anyhow::{Context, Result, ensure};
use injector_tests::{cgroup::Scratch, clock::Clock, injector::Finished, patience};
use serde_json::json;

use crate::{attach, counts};

/// Clocks in one cgroup, the eldest first.
fn clocks(count: usize) -> Result<(Scratch, Vec<Clock>)> {
    let cgroup = Scratch::new()?;
    let clocks = (0..count).map(|_| Clock::start(cgroup.path())).collect::<Result<_>>()?;
    Ok((cgroup, clocks))
}

/// Which of so many processes a rule ends, by their age, and what the injector says of it.
fn ended(rule: &str, seed: &str, count: usize, signal: i32) -> Result<(BTreeSet<usize>, Finished)> {
    let (cgroup, mut clocks) = clocks(count)?;
    let words = ["--for", "1s", "--seed", seed];
    let finished = attach(cgroup.path(), rule)?.words(words).expect(0)?;
    let told = finished.log.len();
    let mut ended = BTreeSet::new();
    patience::until("the ends that the log tells", patience::LONG, || {
        for (place, clock) in clocks.iter_mut().enumerate() {
            if let Some(by) = clock.killed_by()? {
                ensure!(by == signal, "signal {by}");
                ended.insert(place);
            }
        }
        Ok(ended.len() == told)
    })?;
    let by_log: BTreeSet<_> = finished
        .log
        .iter()
        .map(|line| {
            let pid = line["pid"].as_u64().context("no pid")?;
            clocks.iter().position(|clock| u64::from(clock.pid()) == pid).context("nobody's pid")
        })
        .collect::<Result<_>>()?;
    ensure!(by_log == ended, "{by_log:?} {ended:?}");
    Ok((ended, finished))
}

#[test]
fn chance_chooses_by_the_seed() -> Result<()> {
    let rule = "kill SIGTERM:prob=50%";
    let (first, finished) = ended(rule, "7", 10, 15)?;
    let counts = counts(&finished)?;
    ensure!(counts.matched == 10 && counts.fired == first.len() as u64, "{counts:?}");
    ensure!(counts.suppressed_by("prob") == 10 - counts.fired, "{counts:?}");
    ensure!((1..10).contains(&first.len()), "{first:?}");
    ensure!(finished.log.iter().all(|line| line["verdict"] == json!({ "signal": "SIGTERM" })));
    ensure!(finished.log.iter().all(|line| line["backend"] == "pidfd" && line["comm"] == "clock"));
    ensure!(ended(rule, "7", 10, 15)?.0 == first, "another choice by the same seed");
    ensure!(ended(rule, "8", 10, 15)?.0 != first, "the same choice by another seed");
    Ok(())
}

#[test]
fn all_of_a_cgroup_are_killed_at_once() -> Result<()> {
    let (ended, finished) = ended("kill SIGKILL", "7", 3, 9)?;
    ensure!(ended.len() == 3);
    ensure!(finished.log.iter().all(|line| line["backend"] == "cgroup_kill"), "{:?}", finished.log);
    Ok(())
}

#[test]
fn times_names_and_rounds_limit_it() -> Result<()> {
    let (ended, finished) = ended("kill SIGUSR1:comm=clo*:times=1", "7", 3, 10)?;
    ensure!(ended == BTreeSet::from([0]), "not the eldest: {ended:?}");
    let counted = counts(&finished)?;
    ensure!((counted.matched, counted.fired, counted.suppressed_by("times")) == (3, 1, 2), "{counted:?}");
    let (cgroup, mut clocks) = clocks(2)?;
    let rule = "kill SIGKILL:comm=other";
    let finished = attach(cgroup.path(), rule)?.words(["--for", "1s"]).expect(0)?;
    ensure!(counts(&finished)?.matched == 0);
    let rule = "kill SIGKILL:every=500ms:when=3:times=1";
    let finished = attach(cgroup.path(), rule)?.words(["--for", "2s"]).expect(0)?;
    ensure!(finished.log[0]["decision"] == 3, "{:?}", finished.log);
    ensure!(counts(&finished)?.suppressed_by("when") >= 4);
    ensure!(clocks[0].killed_by()? == Some(9) && clocks[1].killed_by()?.is_none());
    let finished = attach(cgroup.path(), "kill SIGKILL")?.words(["--for", "1s", "--monitor"]).expect(0)?;
    ensure!(counts(&finished)?.suppressed_by("monitored") == 1 && clocks[1].killed_by()?.is_none());
    Ok(())
}

/// A command that puts itself among the victims, the injector; all but it are killed.
#[test]
fn the_injector_is_spared() -> Result<()> {
    let (cgroup, mut clocks) = clocks(2)?;
    let script = format!("echo 0 >{}/cgroup.procs && exec \"$0\" \"$@\"", cgroup.path().display());
    let output = Command::new("sh")
        .args(["-c", &script])
        .arg(injector_tests::guest::injector()?)
        .args([
            "attach",
            "--for",
            "1s",
            "--process",
            "kill SIGKILL",
            "--process",
            "pause:after=3600s",
            "--cgroup",
        ])
        .arg(cgroup.path())
        .output()?;
    // The pause is refused, and the kill alone is not.
    ensure!(output.status.code() == Some(2), "{output:?}");
    let output = Command::new("sh")
        .args(["-c", &script])
        .arg(injector_tests::guest::injector()?)
        .args(["attach", "--for", "1s", "--process", "kill SIGKILL", "--cgroup"])
        .arg(cgroup.path())
        .output()?;
    ensure!(output.status.code() == Some(0), "{output:?}");
    sleep(Duration::from_millis(50));
    ensure!(clocks.iter_mut().all(|clock| clock.killed_by().ok().flatten() == Some(9)));
    Ok(())
}
