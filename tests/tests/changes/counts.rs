//! What a rule has counted stays counted.

use anyhow::{Context, Result, ensure};
use injector_tests::{
    board::Board,
    injector::Injector,
    patience,
    victim::{self, STEADY, Steady},
};

use crate::{
    EPERM, SLACK, attached, attached_with_log, change, changed, listed, operation, rule, rules_listed,
};

/// Each thread counts on: the numbers in the log go up by the step, without a gap and without a new start.
#[test]
fn when_counts_on() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let every = rule("error=EIO:when=3+7")?;
    let (injector, id) = attached_with_log(&victim, &[&every])?;
    for nth in 0..6 {
        victim.board.next(30)?;
        let other = rule(&format!("error=EPERM:when={}", 50_000 + nth))?;
        changed(&id, &[&other, &every])?;
    }
    victim.board.next(30)?;
    let finished = injector.interrupt()?.expect(0)?;
    let decisions: Vec<_> = finished
        .log
        .iter()
        .filter(|line| line["rule"] == 0)
        .map(|line| line["decision"].as_u64().context("no decision"))
        .collect::<Result<_>>()?;
    ensure!(decisions.len() > 20, "{} faults", decisions.len());
    let expected: Vec<u64> = (0..decisions.len() as u64).map(|nth| 3 + 7 * nth).collect();
    assert_eq!(decisions, expected);
    Ok(())
}

/// A new rule starts at zero, also where an older one has counted.
#[test]
fn a_new_rule_starts_at_zero() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let (injector, id) = attached_with_log(&victim, &[&rule("error=EIO:when=40000")?])?;
    for nth in 1..=4u32 {
        victim.board.next(20)?;
        changed(&id, &[&rule(&format!("error=EIO:when=1..{nth}"))?])?;
        victim.board.next(20)?;
    }
    let finished = injector.interrupt()?.expect(0)?;
    for nth in 1..=4u64 {
        let of = finished.log.iter().filter(|line| line["rule"] == nth);
        let decisions: Vec<_> = of.filter_map(|line| line["decision"].as_u64()).collect();
        assert_eq!(decisions, (1..=nth).collect::<Vec<_>>(), "rule {nth}");
    }
    Ok(())
}

#[test]
fn tickets_are_kept() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let five = rule("error=EIO:times=5")?;
    let (injector, id) = attached(&victim, &[&five])?;
    victim.board.next(20)?;
    assert_eq!(victim.board.tally()?.failed, 5);
    changed(&id, &[&five, &rule("error=EPERM:when=50000")?])?;
    victim.board.next(20)?;
    assert_eq!(victim.board.tally()?.failed, 5);
    // The same text once more is another rule.
    changed(&id, &[&five, &five])?;
    victim.board.next(20)?;
    assert_eq!(victim.board.tally()?.failed, 10);
    let report = injector.interrupt()?.expect(0)?.report()?;
    let fired: Vec<_> = report.rules.iter().map(|rule| (rule.fired, rule.removed)).collect();
    assert_eq!(fired, [(5, false), (0, true), (5, false)]);
    Ok(())
}

#[test]
fn a_removed_rule_stops_and_is_reported() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let (old, new) = (rule("error=EIO")?, rule("error=EPERM")?);
    let (injector, id) = attached(&victim, &[&old])?;
    victim.board.wait_faults(SLACK)?;
    let said = changed(&id, &[&new])?.stderr;
    ensure!(said.contains("0 kept, 1 added, 1 removed") && said.contains(&new), "{said}");
    let first = listed()?;
    victim.board.next(20)?;
    assert_eq!(victim.board.tally()?.error, EPERM);
    let finished = injector.interrupt()?.expect(0)?;
    let report = finished.report()?;
    assert_eq!((&report.rules[0].text, report.rules[0].removed), (&old, true));
    assert_eq!((&report.rules[1].text, report.rules[1].removed), (&new, false));
    ensure!(report.rules[0].fired > 0 && report.rules[1].fired > 0, "{report:#?}");
    assert_eq!(first["rules"][0]["rule"], 1);
    Ok(())
}

/// `--for` alone: another end, nothing else.
#[test]
fn the_end_can_be_moved() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let steady = rule("error=EIO")?;
    let (mut injector, id) = attached(&victim, &[&steady])?;
    change(&id, &[])?.words(["--for", "20m"]).expect(0)?;
    let left = listed()?["remaining_seconds"].as_u64().unwrap_or_default();
    ensure!((1100..=1200).contains(&left), "{left}");
    change(&id, &[])?.words(["--for", "forever"]).expect(0)?;
    ensure!(listed()?.get("remaining_seconds").is_none_or(serde_json::Value::is_null));
    assert_eq!(rules_listed()?, [steady]);
    change(&id, &[])?.words(["--for", "1s"]).expect(0)?;
    patience::until("the end", patience::LONG, || injector.has_ended())?;
    let finished = injector.finish()?.expect(0)?;
    ensure!(finished.stderr.contains("the time is up"), "{}", finished.stderr);
    victim.board.wait_relief(SLACK)?;
    Ok(())
}

#[test]
fn the_plan_of_a_command_can_be_changed() -> Result<()> {
    let (board, folder) = (Board::new(1, 0)?, victim::folder()?);
    let operation = operation()?;
    let mut running = Injector::run(&format!("{}:error=EIO:when=60000", operation.name))?
        .json()
        .command(&[STEADY, operation.name, "2"])
        .in_folder(board.stdin()?, folder.path())
        .start()?;
    let id = running.begun()?;
    board.next(5)?;
    changed(&id, &[&rule("error=EPERM")?])?;
    board.wait_faults(SLACK)?;
    board.stop()?;
    let report = running.finish()?.expect(0)?.report()?;
    assert_eq!(board.tally()?.error, EPERM);
    ensure!(report.rules[0].removed && report.rules[1].fired > 0, "{report:#?}");
    Ok(())
}
