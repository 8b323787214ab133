//! Processes that stand still, and go on.

use std::{fs, path::PathBuf, process::Stdio, thread::sleep, time::Duration};

use anyhow::{Result, ensure};
use injector_tests::{
    cgroup::{self, Scratch},
    clock::{self, Clock},
    injector::Injector,
    patience,
    residue::Census,
    victim,
};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::{SLACK, attach, begun, clock, counts, value, wait_still};

#[test]
fn a_cgroup_stands_still_until_the_end_of_the_rule() -> Result<()> {
    let (cgroup, clock) = clock()?;
    // Below it, and born meanwhile.
    let below = Clock::start(&cgroup.make("below")?)?;
    let census = Census::take()?;
    let injector = begun(attach(cgroup.path(), "pause")?.words(["--for", "3s"]))?;
    wait_still(&clock)?;
    wait_still(&below)?;
    ensure!(value(cgroup.path(), "cgroup.freeze")? == "1");
    let plans = Injector::new(["ps", "--json"])?.expect(0)?.stdout;
    let plans: serde_json::Value = serde_json::from_str(&plans)?;
    ensure!(plans[0]["rules"][0]["text"] == "pause" && plans[0]["rules"][0]["fired"] == 1, "{plans}");
    let finished = injector.finish()?.expect(0)?;
    clock.ticks()?;
    below.ticks()?;
    for clock in [&clock, &below] {
        let gaps = clock.gaps()?;
        ensure!(gaps.len() == 1, "{gaps:?}");
        let (least, most) = (Duration::from_millis(2500), Duration::from_secs(3) + SLACK);
        ensure!((least..most).contains(&gaps[0].length()), "{gaps:?}");
    }
    let counts = counts(&finished)?;
    ensure!((counts.matched, counts.fired) == (1, 1), "{counts:?}");
    let [line] = &finished.log[..] else { panic!("{:?}", finished.log) };
    ensure!(line["verdict"] == json!({ "pause_forever": true }) && line["backend"] == "freezer", "{line}");
    let name = cgroup.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    ensure!(line["target"] == format!("cgroup /{name}") && line.get("pid").is_none(), "{line}");
    census.gone(injector_tests::residue::Exceptions::None)?;
    Ok(())
}

#[test]
fn pulses_come_when_they_are_due() -> Result<()> {
    let (cgroup, clock) = clock()?;
    let rule = "pause:after=500ms:for=1s:every=2s:when=1..3+2";
    let finished = attach(cgroup.path(), rule)?.words(["--for", "7s"]).expect(0)?;
    clock.ticks()?;
    let gaps = clock.gaps()?;
    ensure!(gaps.len() == 2, "{gaps:?}");
    for gap in &gaps {
        let length = gap.length();
        ensure!((Duration::from_millis(900)..Duration::from_secs(1) + SLACK).contains(&length), "{gaps:?}");
    }
    // The second round of four is left out, so the next comes after two periods, which do not drift.
    let apart = gaps[1].from.saturating_sub(gaps[0].from);
    ensure!(apart.abs_diff(Duration::from_secs(4)) < SLACK / 2, "{gaps:?}");
    let counts = counts(&finished)?;
    ensure!((counts.matched, counts.fired, counts.suppressed_by("when")) == (4, 2, 2), "{counts:?}");
    ensure!(finished.log.iter().all(|line| line["verdict"] == json!({ "pause_ns": 1_000_000_000 })));
    Ok(())
}

#[test]
fn who_was_frozen_before_stays_so() -> Result<()> {
    let (cgroup, clock) = clock()?;
    fs::write(cgroup.path().join("cgroup.freeze"), "1")?;
    wait_still(&clock)?;
    let finished = attach(cgroup.path(), "pause")?.words(["--for", "1s"]).expect(0)?;
    let counts = counts(&finished)?;
    ensure!((counts.matched, counts.fired, counts.suppressed_by("overruled")) == (1, 0, 1), "{counts:?}");
    ensure!(value(cgroup.path(), "cgroup.freeze")? == "1");
    fs::write(cgroup.path().join("cgroup.freeze"), "0")?;
    clock.ticks()
}

#[test]
fn who_only_watches_pauses_nobody() -> Result<()> {
    let (cgroup, clock) = clock()?;
    let rule = "pause:for=600ms:every=1s";
    let finished = attach(cgroup.path(), rule)?.words(["--for", "2500ms", "--monitor"]).expect(0)?;
    clock.ticks()?;
    ensure!(clock.gaps()?.is_empty(), "{:?}", clock.gaps()?);
    let counts = counts(&finished)?;
    ensure!((counts.matched, counts.fired, counts.suppressed_by("monitored")) == (3, 0, 3), "{counts:?}");
    ensure!(finished.log.is_empty(), "{:?}", finished.log);
    Ok(())
}

#[test]
fn a_rule_that_is_switched_off_or_changed_lets_go() -> Result<()> {
    let (cgroup, clock) = clock()?;
    let mut injector = attach(cgroup.path(), "pause")?.start()?;
    let id = injector.begun()?;
    let ask = |words: &[&str]| Injector::new(words)?.expect(0);
    wait_still(&clock)?;
    ask(&["pause", &id])?;
    clock.ticks()?;
    ask(&["resume", &id])?;
    wait_still(&clock)?;
    // Another rule instead, which has not begun; then that one as well.
    ask(&["change", &id, "--process", "pause:after=3600s"])?;
    clock.ticks()?;
    ask(&["change", &id, "--process", "pause:after=3600s", "--process", "pause:for=5s"])?;
    wait_still(&clock)?;
    ask(&["change", &id, "--net", "loss 1%"])?;
    clock.ticks()?;
    let finished = injector.interrupt()?.expect(0)?;
    let fired: Vec<_> = finished.report()?.rules.iter().map(|rule| rule.fired).collect();
    ensure!(fired == [1, 0, 1, 0], "{fired:?}");
    Ok(())
}

#[test]
fn a_target_that_comes_back_is_met_again() -> Result<()> {
    let scratch = Scratch::new()?;
    let path = scratch.make("service")?;
    let first = Clock::start(&path)?;
    let injector = begun(attach(&path, "pause")?)?;
    wait_still(&first)?;
    // As a service manager does: it kills who is frozen, and makes the cgroup anew.
    drop(first);
    patience::until("an empty cgroup", patience::LONG, || Ok(fs::remove_dir(&path).is_ok()))?;
    // It enters when it runs: at once frozen, it could not even begin.
    let second = Clock::start(scratch.path())?;
    cgroup::move_into(&scratch.make("service")?, second.pid())?;
    wait_still(&second)?;
    let counts = counts(&injector.interrupt()?.expect(0)?)?;
    ensure!((counts.matched, counts.fired) == (1, 1), "{counts:?}");
    second.ticks()
}

#[test]
fn a_command_takes_signals_though_it_is_paused() -> Result<()> {
    let folder = victim::folder()?;
    let command = format!("exec {} >times", victim::CLOCK);
    let injector = Injector::new(["run", "--json", "--process", "pause:after=500ms"])?
        .command(&["sh", "-c", &command])
        .in_folder(Stdio::null(), folder.path());
    let injector = begun(injector)?;
    let times = folder.path().join("times");
    let still = || {
        let times = clock::times(&times).unwrap_or_default();
        Ok(times
            .last()
            .is_some_and(|&last| clock::now().unwrap_or_default().saturating_sub(last) > clock::STILL))
    };
    patience::until("a command that stands still", patience::LONG, still)?;
    injector.signal(Signal::SIGTERM)?;
    let finished = injector.finish()?.expect(128 + 15)?;
    ensure!(counts(&finished)?.fired == 1);
    Ok(())
}

/// The injector would stand still itself, and its shell's cgroup is a likely target.
#[test]
fn the_injector_never_pauses_itself() -> Result<()> {
    let (cgroup, clock) = clock()?;
    let script = format!("echo 0 >{}/cgroup.procs && exec \"$0\" \"$@\"", cgroup.make("shell")?.display());
    let injector: PathBuf = injector_tests::guest::injector()?;
    let words = ["attach", "--for", "1s", "--process", "pause", "--cgroup"];
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .arg(&injector)
        .args(words)
        .arg(cgroup.path())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2) && said.contains("would pause injector itself"), "{said}");
    sleep(Duration::from_millis(100));
    clock.ticks()?;
    ensure!(clock.gaps()?.is_empty());
    Ok(())
}
