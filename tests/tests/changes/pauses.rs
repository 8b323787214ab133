//! Rules that are switched off and on again while their plan lives: from the moment that is told.

use anyhow::{Context, Result, ensure};
use injector_tests::{guest, injector::Injector, victim::Steady};
use serde_json::Value;

use crate::{SLACK, attached, attached_with_log, changed, operation, rule};

/// A decision that is under way when a rule is paused is told a little later, and the moment of a resume is read after
/// the store: an emulated processor may be taken away in between.
const LATE_NS: u64 = 100_000_000;

/// `injector pause` or `resume`, and the moment that it tells.
fn switched(verb: &str, id: &str, more: &[&str]) -> Result<(Vec<u64>, u64)> {
    let said = Injector::new([verb, id, "--json"])?.words(more).expect(0)?.stdout;
    let said: Value = serde_json::from_str(&said)?;
    ensure!(said["paused"] == (verb == "pause") && said["plan"] == id, "{said}");
    let rules = said["rules"].as_array().context("no rules")?.iter().filter_map(Value::as_u64).collect();
    Ok((rules, said["time_ns"].as_u64().context("no time")?))
}

/// What `ps` says of the plan's rules.
fn paused(id: &str) -> Result<Vec<bool>> {
    let plans: Value = serde_json::from_str(&Injector::new(["ps", "--json"])?.expect(0)?.stdout)?;
    let plan = plans.as_array().and_then(|plans| plans.iter().find(|plan| plan["id"] == id));
    let rules = plan.and_then(|plan| plan["rules"].as_array()).context("the plan is not listed")?;
    Ok(rules.iter().map(|rule| rule["paused"] == true).collect())
}

#[test]
fn a_rule_at_calls_is_off_and_on_from_the_moment_told() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let (rule_of_all, other) = (rule("error=EIO")?, rule("error=EPERM:when=60000")?);
    let (injector, id) = attached_with_log(&victim, &[&rule_of_all, &other])?;
    victim.board.wait_faults(SLACK)?;
    let (rules, off) = switched("pause", &id, &[])?;
    assert_eq!(rules, [0, 1]);
    let meanwhile = victim.board.next(50)?;
    assert_eq!(meanwhile.failed, 0);
    assert_eq!(paused(&id)?, [true, true]);
    // A change that keeps the rule keeps it off.
    changed(&id, &[&rule_of_all])?;
    assert_eq!(victim.board.next(20)?.failed, 0);
    let (rules, on) = switched("resume", &id, &["--rule", "0"])?;
    assert_eq!(rules, [0]);
    victim.board.wait_faults(SLACK)?;
    assert_eq!(victim.board.next(50)?.succeeded, 0);
    assert_eq!(paused(&id)?, [false]);
    let finished = injector.interrupt()?.expect(0)?;
    let report = finished.report()?;
    let counted = &report.rules[0];
    ensure!(counted.suppressed_by("paused") >= 70, "{counted:?}");
    let times = finished.log.iter().filter_map(|line| line["time_ns"].as_u64());
    let between: Vec<u64> = times.filter(|&time| (off + LATE_NS..on - LATE_NS).contains(&time)).collect();
    ensure!(between.is_empty(), "faults between {off} and {on}: {between:?}");
    let first = finished.log.iter().filter_map(|line| line["time_ns"].as_u64()).find(|&time| time >= on);
    eprintln!("the first fault came {:?} ns after the moment told", first.map(|time| time - on));
    Ok(())
}

#[test]
fn what_is_not_there_cannot_be_paused() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let (injector, id) = attached(&victim, &[&rule("error=EIO")?])?;
    let refused = Injector::new(["pause", &id, "--rule", "7"])?.expect(2)?.stderr;
    ensure!(refused.contains("has no rule 7") && refused.contains("its only rule is 0"), "{refused}");
    let refused = Injector::new(["resume", "fffffff0"])?.expect(2)?.stderr;
    ensure!(refused.contains("no injection on this machine has the id"), "{refused}");
    let output = std::process::Command::new("setpriv")
        .args(["--reuid", "65534", "--clear-groups"])
        .arg(guest::injector()?)
        .args(["pause", &id])
        .output()?;
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(paused(&id)?, [false]);
    injector.interrupt()?.expect(0)?;
    Ok(())
}
