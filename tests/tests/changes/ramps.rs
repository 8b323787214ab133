//! Ramps: a rule that goes on with other numbers is the same rule, with its counters and its draws.

use anyhow::{Result, ensure};
use injector_tests::{
    guest,
    injector::Injector,
    victim::{self, Shape, Steady},
};
use serde_json::Value;

use crate::{attached, changed, operation, rule};

/// One rule all the way, whose counters only grow.
#[test]
fn a_ramp_is_one_rule() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let beside = rule("error=EPERM:when=60000")?;
    let at = |percent: u32| rule(&format!("error=EIO:prob={percent}%"));
    let (injector, id) = attached(&victim, &[&at(1)?, &beside])?;
    let mut matched = 0;
    let steps = if guest::full() { 60 } else { 8 };
    for percent in 2..2 + steps {
        victim.board.next(5)?;
        let said = changed(&id, &[&at(percent)?, &beside])?.stderr;
        ensure!(said.contains("1 kept, 1 adjusted, 0 added, 0 removed"), "{said}");
        let plans: Value = serde_json::from_str(&Injector::new(["ps", "--json"])?.expect(0)?.stdout)?;
        let listed = &plans[0]["rules"][0];
        ensure!(listed["rule"] == 0 && listed["text"] == at(percent)?, "{listed:#}");
        let now = listed["matched"].as_u64().unwrap_or_default();
        ensure!(now > matched, "{now} after {matched}");
        matched = now;
    }
    changed(&id, &[&at(100)?, &beside])?;
    victim.board.next(5)?;
    let before = victim.board.tally()?;
    let now = victim.board.next(20)?;
    ensure!(now.failed >= 20 && now.succeeded == 0, "{now:?} after {before:?}");
    let report = injector.interrupt()?.expect(0)?.report()?;
    assert_eq!(report.rules.len(), 2);
    ensure!(report.rules[0].text == at(100)? && report.rules[0].matched > matched, "{report:#?}");
    Ok(())
}

/// The same calls are drawn for, so those that fail at 5 % fail at 10 % as well.
#[test]
fn a_higher_probability_adds_faults() -> Result<()> {
    let folder = victim::folder()?;
    let name = operation()?.name;
    let failed = |percent: u32| -> Result<Vec<u64>> {
        let options =
            ["--seed".into(), "7".into(), "-e".into(), rule(&format!("error=EIO:prob={percent}%"))?];
        let (_, finished) = victim::run_calls(&options, name, Shape::single(400), folder.path())?;
        Ok(finished.log.iter().filter_map(|line| line["decision"].as_u64()).collect())
    };
    let (low, high) = (failed(5)?, failed(10)?);
    ensure!(!low.is_empty() && high.len() > low.len(), "{low:?}, {high:?}");
    ensure!(low.iter().all(|decision| high.contains(decision)), "{low:?}, {high:?}");
    Ok(())
}
