//! Rules at both ends of a call, and what belongs to a call's arguments and to a process, in plans that
//! change.

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    dice::Dice,
    guest::{self, Kernel},
    injector::Injector,
    residue::{Census, Exceptions},
    victim::Steady,
};
use nix::sys::signal::Signal;

use crate::{EIO, EPERM, SLACK, attached, attached_with_log, changed, operation, rule};

/// The rule behind the call goes on while rules at its entry come and go by either backend, and the other
/// way round: no call gets past.
#[test]
fn an_end_changes_without_the_other() -> Result<()> {
    if !Kernel::running()?.injects_calls() {
        // Nothing there changes what a call has come to.
        return Ok(());
    }
    let victim = Steady::start(operation()?)?;
    let behind = rule("error=EIO:on=success")?;
    let (injector, id) = attached(&victim, &[&behind])?;
    victim.board.wait_faults(SLACK)?;
    let before = victim.board.tally()?;
    for company in ["error=EPERM:when=2", "error=EPERM:when=60000", "error=ENOSPC:on=failure:when=60000"] {
        let company = rule(company)?;
        changed(&id, &[&company, &behind])?;
        let now = victim.board.next(50)?;
        ensure!(now.succeeded == 0 && [EIO, EPERM].contains(&now.error), "{company}: {now:?}");
        changed(&id, &[&behind])?;
        let now = victim.board.next(50)?;
        ensure!(now.succeeded == 0 && now.error == EIO, "after {company}: {now:?}");
    }
    // The entry goes to the kprobe meanwhile, and is left again.
    let zero = rule("retval=0:when=3+")?;
    changed(&id, &[&zero, &behind])?;
    victim.board.next(50)?;
    let entry = rule("error=EPERM")?;
    changed(&id, &[&entry, &behind])?;
    let now = victim.board.next(50)?;
    ensure!(now.succeeded == 0 && now.error == EPERM, "{now:?}");
    changed(&id, &[&entry])?;
    let now = victim.board.next(50)?;
    ensure!(now.succeeded == 0 && now.error == EPERM, "{now:?}");
    ensure!(victim.board.tally()?.succeeded >= before.succeeded);
    let report = injector.interrupt()?.expect(0)?.report()?;
    ensure!(report.skipped == 0 && report.rules[0].removed && report.rules[0].fired > 200, "{report:#?}");
    ensure!(report.rules[1].fired == 1, "{report:#?}");
    Ok(())
}

/// What a rule asks of the arguments is part of what it means, and comes with it.
#[test]
fn filters_come_and_go() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let (plain, never) = (rule("error=EIO")?, rule("error=EIO:fd=999")?);
    let (injector, id) = attached(&victim, &[&plain])?;
    victim.board.wait_faults(SLACK)?;
    for _ in 0..2 {
        changed(&id, &[&never])?;
        let now = victim.board.next(50)?;
        ensure!(now.failed == 0, "{now:?}");
        changed(&id, &[&rule("error=EPERM:fd!=999:comm=steady")?])?;
        let now = victim.board.next(50)?;
        ensure!(now.succeeded == 0 && now.error == EPERM, "{now:?}");
    }
    let report = injector.interrupt()?.expect(0)?.report()?;
    let met: Vec<_> = report.rules.iter().map(|rule| rule.matched > 0).collect();
    ensure!(met == [true, false, true, false, true], "{report:#?}");
    Ok(())
}

/// Whoever counts together counts on; who is new begins at one.
#[test]
fn scopes_count_on() -> Result<()> {
    for scope in ["process", "rule"] {
        let victim = Steady::start(operation()?)?;
        let every = rule(&format!("error=EIO:when=2+3:scope={scope}"))?;
        let (injector, id) = attached_with_log(&victim, &[&every])?;
        for nth in 0..4 {
            victim.board.next(20)?;
            let other = rule(&format!("error=EPERM:when=1:scope={scope}:comm=s*:fd!={}", 900 + nth))?;
            changed(&id, &[&other, &every])?;
        }
        victim.board.next(20)?;
        let finished = injector.interrupt()?.expect(0)?;
        let decisions = |rule: u64| -> Vec<_> {
            let lines = finished.log.iter().filter(|line| line["rule"] == rule);
            lines.filter_map(|line| line["decision"].as_u64()).collect()
        };
        let steady = decisions(0);
        ensure!(steady.len() > 20, "{scope}: {} faults", steady.len());
        // A first match of another rule overrules one of ours at times.
        ensure!(steady.windows(2).all(|pair| pair[0] < pair[1]), "{scope}: {steady:?}");
        ensure!(steady.iter().all(|number| number % 3 == 2), "{scope}: {steady:?}");
        ensure!(steady.len() as u64 + 4 >= steady[steady.len() - 1] / 3, "{scope}: {steady:?}");
        for nth in 1..=4 {
            assert_eq!(decisions(nth), [1], "{scope}: rule {nth}");
        }
    }
    Ok(())
}

/// Calls that pass security hooks, so that they can be caught everywhere, at a dozen of functions.
const MANY: &str = "openat,mkdir,rmdir,rename,unlink,symlink,link";

/// Loading what a change needs takes seconds here; whoever ends the plan meanwhile does not wait for it.
#[test]
fn a_plan_can_be_ended_in_the_middle_of_a_change() -> Result<()> {
    let (mut dice, seed) = Dice::new()?;
    let (rounds, census) = (if guest::full() { 50 } else { 4 }, Census::take()?);
    let steady = rule("error=EIO")?;
    let many = format!("inject={MANY}:error=EIO:when=60000");
    let slow = ["-e", &steady, "-e", &many, "--net", "delay 1ms"];
    let (mut cut_off, mut slowest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let victim = Steady::start(operation()?)?;
        let (injector, id) = attached(&victim, &[&steady])?;
        victim.board.wait_faults(SLACK)?;
        let change = Injector::new(["change", &id])?.words(slow).start()?;
        thread::sleep(dice.below(Duration::from_secs(2)));
        injector.signal(Signal::SIGTERM)?;
        slowest =
            slowest.max(victim.board.wait_relief(SLACK).with_context(|| format!("round {round} of {seed}"))?);
        injector.finish()?.expect(0)?;
        let change = change.finish()?;
        // 2 where the plan had ended before the change looked for it.
        let too_late = change.code == 2 && change.stderr.contains("no injection on this machine has the id");
        ensure!(too_late || [0, 1].contains(&change.code), "{}: {}", change.code, change.stderr);
        cut_off += u32::from(change.code == 1);
        drop(victim);
        census.gone(Exceptions::None)?;
    }
    eprintln!("{cut_off} of {rounds} changes were cut off; the faults ended within {slowest:?}");
    Ok(())
}

/// What is injected during a change is in the log, and in time: the events are read all along.
#[test]
fn events_are_read_during_a_change() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let steady = rule("error=EIO")?;
    let (injector, id) = attached_with_log(&victim, &[&steady])?;
    victim.board.wait_faults(SLACK)?;
    changed(&id, &[&steady, &format!("inject={MANY}:error=EIO:when=60000")])?;
    victim.board.next(20)?;
    let finished = injector.interrupt()?.expect(0)?;
    let report = finished.report()?;
    assert_eq!((report.lost_events, finished.log.len() as u64), (0, report.rules[0].fired));
    ensure!(finished.log.iter().all(|line| line["rule_text"] == steady), "a rule without its text");
    Ok(())
}
