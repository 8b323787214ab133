//! The library in a program of its own, this one: no async runtime, other threads, and the injector's only as a
//! dependency.

#[expect(dead_code, reason = "its `main` is for who runs it as a program")]
#[path = "../../examples/bad_disk.rs"]
mod bad_disk;

use std::{fs, sync::mpsc, thread, time::Duration};

use anyhow::{Result, anyhow, ensure};
use injector::{
    blocking::Guard,
    engine::{End, Injector, Record, Start},
    plan::Options,
    target::Target,
};
use injector_common::shared::LEASE_NS;
use injector_tests::{
    residue::{Census, Exceptions},
    victim::{self, READ, Steady},
};

/// For a victim to be asked and to answer, on an emulated machine that others use as well.
const SLACK: Duration = Duration::from_secs(5);

/// A plan on a victim whose reads fail, and the rules' text.
fn reads_fail(victim: &Steady, options: Options) -> Result<(Guard, mpsc::Receiver<Record>)> {
    let target = Target::cgroup(victim.cgroup.path())?;
    let injector = Injector::new()?.rule("inject=read:error=EIO".parse()?).target(target);
    let plan = injector.plan(options)?;
    let (told, records) = mpsc::channel();
    Ok((Guard::apply(injector, plan, Start::Now, move |record| drop(told.send(record)))?, records))
}

#[test]
fn faults_go_on_while_nobody_waits_and_follow_what_is_asked() -> Result<()> {
    let (victim, census) = (Steady::start(READ)?, Census::take()?);
    let (mut guard, records) = reads_fail(&victim, Options::default().records())?;
    victim.board.wait_faults(SLACK)?;
    thread::sleep(Duration::from_nanos(LEASE_NS) + Duration::from_secs(2));
    ensure!(victim.board.next(20)?.failed > 0, "the lease has run out");

    ensure!(guard.pause(0, true)?.is_some() && guard.pause(1, true)?.is_none());
    victim.board.wait_relief(SLACK)?;
    guard.pause(0, false)?;
    victim.board.wait_faults(SLACK)?;
    let change = guard.update(vec!["inject=read:error=ENOSPC:when=60000".parse()?])?;
    assert_eq!((change.kept.len(), change.added.len(), change.removed.len()), (0, 1, 1));
    victim.board.wait_relief(SLACK)?;
    assert_eq!(guard.rules()?.len(), 2);
    // A fork while another thread holds the allocator's lock would have it for ever.
    let refused = guard.update(vec!["io=open:delay=1ms".parse()?]).map(drop).unwrap_err();
    ensure!(refused.hint().contains("ChildPlan"), "{refused}");
    assert_eq!(guard.wait_for(Duration::ZERO)?, None);

    let report = guard.finish()?;
    ensure!(report.clean && report.rules[0].removed && report.rules[0].fired > 0, "{report:#?}");
    let told = u64::try_from(records.iter().count())?;
    assert_eq!(told + report.lost_events, report.rules[0].fired);
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn a_plan_ends_by_itself_and_keeps_its_counters() -> Result<()> {
    let (victim, census) = (Steady::start(READ)?, Census::take()?);
    let (mut guard, _) = reads_fail(&victim, Options::default().duration(Duration::from_secs(2)))?;
    assert_eq!(guard.wait()?, End::Deadline);
    assert_eq!(guard.wait()?, End::Deadline, "asked once more");
    victim.board.wait_relief(SLACK)?;
    ensure!(guard.rules()?[0].fired > 0);
    drop(guard);
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn a_dropped_guard_leaves_nothing() -> Result<()> {
    let (victim, census) = (Steady::start(READ)?, Census::take()?);
    let (guard, _) = reads_fail(&victim, Options::default())?;
    victim.board.wait_faults(SLACK)?;
    drop(guard);
    victim.board.wait_relief(SLACK)?;
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn a_command_meets_a_bad_disk() -> Result<()> {
    let (folder, census) = (victim::folder()?, Census::take()?);
    let [bad, good] = ["bad.db", "good.txt"].map(|name| folder.path().join(name));
    fs::write(&bad, "bad")?;
    fs::write(&good, "good")?;
    let run = |file: &std::path::Path| {
        let (told, records) = mpsc::channel();
        // Says nothing on the standard output, where the test's own verdict goes.
        let words = ["grep".into(), "-q".into(), "o".into(), file.as_os_str().to_owned()];
        let done = bad_disk::on_a_bad_disk("**/*.db", words, move |record| drop(told.send(record)));
        let (code, report) = done.map_err(|error| anyhow!("{error}"))?;
        anyhow::Ok((code, report.rules[0].fired, records.iter().count()))
    };
    assert_eq!(run(&bad)?, (2, 1, 1));
    assert_eq!(run(&good)?, (0, 0, 0));
    census.gone(Exceptions::None)?;
    Ok(())
}
