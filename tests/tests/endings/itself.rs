//! Endings that nobody has to see to: a deadline, a lease that nobody renews, a target that is gone.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use injector_tests::{
    board::Board,
    injector::Injector,
    patience::LONG,
    residue::{Census, Exceptions},
    victim::{self, Steady},
};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{LEASE, SLACK, attached, operation, plans, wait_empty};

#[test]
fn a_deadline_is_kept() -> Result<()> {
    let (victim, census) = (Steady::start(operation()?)?, Census::take()?);
    let injector = attached(&victim, &["--for", "3s"])?;
    let start = Instant::now();
    victim.board.wait_relief(Duration::from_secs(3) + SLACK)?;
    ensure!(start.elapsed() > Duration::from_secs(2), "the faults ended after {:?}", start.elapsed());
    let finished = injector.finish()?.expect(0)?;
    ensure!(finished.stderr.contains("time is up"), "{}", finished.stderr);
    census.gone(Exceptions::None)?;
    assert_eq!(victim.board.next(10)?.failed, 0);
    Ok(())
}

#[test]
fn a_command_outlives_the_deadline_of_its_rules() -> Result<()> {
    let operation = operation()?;
    let (board, folder) = (Board::new(1, 0)?, victim::folder()?);
    let injector = Injector::run(&format!("{}:error=EIO", operation.name))?
        .words(["--for", "2s"])
        .command(&[victim::STEADY, operation.name, "2"])
        .in_folder(board.stdin()?, folder.path())
        .start()?;
    board.wait_faults(LONG)?;
    board.wait_relief(Duration::from_secs(2) + SLACK)?;
    assert_eq!(board.next(20)?.failed, 0);
    board.stop()?;
    injector.finish()?.expect(0)?;
    Ok(())
}

#[test]
fn a_stopped_injector_cannot_prolong_its_faults() -> Result<()> {
    let (victim, census) = (Steady::start(operation()?)?, Census::take()?);
    let injector = attached(&victim, &["--for", "1h"])?;
    injector.signal(Signal::SIGSTOP)?;
    let took = victim.board.wait_relief(LEASE + SLACK)?;
    eprintln!("the faults ended {:.1} s after SIGSTOP", took.as_secs_f64());
    ensure!(took + Duration::from_secs(3) > LEASE, "the lease ended early: {took:?}");
    assert_eq!(victim.board.next(50)?.failed, 0);
    let seen = plans()?;
    assert_eq!((seen.len(), &seen[0]["acting"]), (1, &Value::Bool(false)), "{seen:#?}");
    injector.signal(Signal::SIGCONT)?;
    let finished = injector.interrupt()?.expect(0)?;
    ensure!(finished.stderr.contains("expired"), "{}", finished.stderr);
    census.gone(Exceptions::None)?;

    // Nor can it overstay its deadline.
    let injector = attached(&victim, &["--for", "3s"])?;
    injector.signal(Signal::SIGSTOP)?;
    victim.board.wait_relief(Duration::from_secs(3) + SLACK)?;
    drop(injector);
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn a_target_that_ends_ends_the_injection() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let injector = attached(&victim, &["--once"])?;
    drop(victim);
    let finished = injector.finish()?.expect(0)?;
    ensure!(
        finished.stderr.contains("went away\n"),
        "the end of the target is not told: {}",
        finished.stderr
    );

    // As a process, too.
    let victim = Steady::start(operation()?)?;
    let rule = format!("inject={}:error=EIO", operation()?.name);
    let mut injector = Injector::new(["attach", "-e", &rule, "--pid", &victim.pid().to_string()])?.start()?;
    injector.begun()?;
    victim.board.wait_faults(SLACK)?;
    drop(victim);
    injector.finish()?.expect(0)?;
    Ok(())
}

#[test]
fn what_a_command_leaves_behind_runs_on_without_faults() -> Result<()> {
    let operation = operation()?;
    let (board, folder, census) = (Board::new(1, 0)?, victim::folder()?, Census::take()?);
    // Static, like the victim: a program that reads its libraries would fail at its start.
    let script = format!("exec 3<&0; {} {} 2 <&3 & exit 0", victim::STEADY, operation.name);
    let finished = Injector::run(&format!("{}:error=EIO", operation.name))?
        .command(&["busybox", "sh", "-c", &script])
        .in_folder(board.stdin()?, folder.path())
        .expect(0)?;
    ensure!(finished.stderr.contains("without faults"), "{}", finished.stderr);
    assert_eq!(board.next(10)?.failed, 0);
    census.gone(Exceptions::Named)?;
    let left = census.left()?;
    assert_eq!(left.len(), 1, "{left:#?}");
    board.stop()?;
    wait_empty()?;
    // The next start takes the cgroup away.
    Injector::run("read:error=EIO:when=60000")?.command(&["true"]).expect(0)?;
    census.gone(Exceptions::None)?;
    Ok(())
}
