//! No gap: while other rules come and go, a rule that goes on meets every call, once.

use anyhow::{Context, Result, ensure};
use injector_tests::{
    cgroup::spawn_in,
    guest::{self, Kernel},
    injector::Counts,
    victim::Steady,
};

use crate::{EIO, EPERM, SLACK, attached, changed, operation, rule, rules_listed};

/// What else the plan has after change number `nth`: on the same call before or after the steady rule, on
/// calls that have no program yet, on many at once.
fn company(nth: u32, name: &str, steady: &str) -> Vec<String> {
    let when = 60_000 + nth;
    let same = format!("inject={name}:error=EPERM:when={when}");
    let steady = steady.to_owned();
    match nth % 5 {
        0 => vec![same, steady],
        1 => vec![steady, same],
        2 => vec![steady, format!("inject=mkdir,mkdirat,rmdir:error=EPERM:when={when}")],
        3 => vec![format!("inject=/^(un)?link:error=EPERM:when={when}"), same, steady],
        _ => vec![steady],
    }
}

#[test]
fn a_rule_that_goes_on_never_pauses() -> Result<()> {
    never_pauses(&Steady::start(operation()?)?, if guest::full() { 50 } else { 15 })
}

/// A victim that does nothing else, as fast as it can. It has the kernel wait long for each program that is
/// taken off, so there are fewer changes.
#[test]
fn a_rule_that_goes_on_never_pauses_for_a_busy_victim() -> Result<()> {
    never_pauses(&Steady::busy(operation()?)?, if guest::full() { 10 } else { 5 })
}

fn never_pauses(victim: &Steady, changes: u32) -> Result<()> {
    let (operation, steady) = (operation()?, rule("error=EIO")?);
    let (injector, id) = attached(victim, &[&steady])?;
    victim.board.wait_faults(SLACK)?;
    let before = victim.board.tally()?;
    for nth in 1..=changes {
        let rules = company(nth, operation.name, &steady);
        changed(&id, &rules.iter().map(String::as_str).collect::<Vec<_>>())?;
        if nth % 5 == 0 {
            ensure!(rules_listed()? == rules, "change {nth}: {:?}", rules_listed()?);
        }
        let now = victim.board.tally()?;
        ensure!(
            now.succeeded == before.succeeded,
            "change {nth}: {} calls got past",
            now.succeeded - before.succeeded
        );
        // The other rule on the same call has its turn once, if the victim is fast enough.
        ensure!([EIO, EPERM].contains(&now.error), "change {nth}: errno {}", now.error);
    }
    victim.board.next(100)?;
    victim.board.stop()?;
    victim.board.wait_done()?;
    let last = victim.board.tally()?;
    let report = injector.interrupt()?.expect(0)?.report()?;
    assert_eq!((last.succeeded, report.skipped), (before.succeeded, 0));
    let (kept, gone) = report.rules.split_first().context("no rules")?;
    // Every call once: as many matches as failures.
    assert_eq!((kept.matched, kept.removed), (last.failed, false));
    assert_eq!(kept.fired + kept.suppressed_by("overruled"), kept.matched);
    // All but the last one have gone again.
    let live: Vec<_> = gone.iter().map(|rule| !rule.removed).collect();
    ensure!(
        live.len() == changes as usize && live.iter().position(|live| *live) == Some(live.len() - 1),
        "{gone:#?}"
    );
    ensure!(gone.iter().any(|rule| rule.suppressed_by("when") > 0), "{gone:#?}");
    Ok(())
}

/// Where nothing goes on, a function may go to another backend: retval=0 needs the kprobe.
#[test]
fn a_function_may_go_to_another_backend() -> Result<()> {
    if !Kernel::running()?.injects_calls() {
        // Refused there, see `refusals`.
        return Ok(());
    }
    let victim = Steady::start(operation()?)?;
    let (injector, id) = attached(&victim, &[&rule("error=EIO")?])?;
    victim.board.wait_faults(SLACK)?;
    for _ in 0..3 {
        changed(&id, &[&rule("retval=0")?])?;
        let zero = victim.board.next(200)?;
        changed(&id, &[&rule("error=EPERM")?])?;
        let error = victim.board.next(200)?;
        ensure!(zero.failed == 0 && error.succeeded == 0 && error.error == EPERM, "{zero:?} {error:?}");
    }
    let report = injector.interrupt()?.expect(0)?.report()?;
    // No call met a rule twice, or two: a match is a fault, until the end.
    let faults = |rule: &Counts| rule.fired + rule.suppressed_by("expired");
    ensure!(report.rules.iter().all(|rule| rule.matched == faults(rule)), "{report:#?}");
    Ok(())
}

/// Rules on packets come and go with the programs that they need.
#[test]
fn packets_may_join_and_leave() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let steady = rule("error=EIO")?;
    let (injector, id) = attached(&victim, &[&steady])?;
    let ping = || -> Result<bool> {
        let mut command = std::process::Command::new("ping");
        command
            .args(["-q", "-c", "2", "-i", "0.2", "-W", "1", "127.0.0.1"])
            .stdout(std::process::Stdio::null());
        Ok(spawn_in(victim.cgroup.path(), &mut command)?.wait()?.success())
    };
    // The victim's own calls may be ping's, too.
    let harmless = "inject=mkdir:error=EIO";
    changed(&id, &[harmless])?;
    ensure!(ping()?);
    for direction in ["egress", "ingress", "both"] {
        let net = format!("{direction} icmp : partition");
        crate::change(&id, &[harmless])?.words(["--net", &net]).expect(0)?;
        ensure!(!ping()?, "{direction}");
        changed(&id, &[harmless])?;
        ensure!(ping()?, "{direction}");
    }
    let report = injector.interrupt()?.expect(0)?.report()?;
    ensure!(report.rules[2..].iter().all(|rule| rule.fired > 0 && rule.removed), "{report:#?}");
    Ok(())
}
