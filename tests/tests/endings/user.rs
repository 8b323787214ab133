//! Endings by a user: the one who began it, or another who meets its faults at night.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use injector_tests::{
    board::Board,
    injector::Injector,
    patience::LONG,
    residue::{Census, Exceptions},
    victim::{self, Steady},
};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{LEASE, SLACK, attached, operation, plans};

#[test]
fn signals_end_an_attachment() -> Result<()> {
    let (victim, census) = (Steady::start(operation()?)?, Census::take()?);
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let injector = attached(&victim, &[])?;
        injector.signal(signal)?;
        let finished = injector.finish()?.expect(0)?;
        // The table comes on this way out, too.
        ensure!(
            finished.stderr.contains("matched") && finished.stderr.contains("fired"),
            "{}",
            finished.stderr
        );
        census.gone(Exceptions::None).with_context(|| signal.to_string())?;
        victim.board.wait_relief(SLACK)?;
    }
    Ok(())
}

#[test]
fn who_injects_is_listed_and_can_be_stopped() -> Result<()> {
    let (victim, census) = (Steady::start(operation()?)?, Census::take()?);
    ensure!(plans()?.is_empty());
    let mut injector = attached(&victim, &["--for", "10m"])?;
    let id = injector.begun()?;

    let listed = plans()?;
    assert_eq!(listed.len(), 1, "{listed:#?}");
    let plan = &listed[0];
    assert_eq!(
        (&plan["id"], plan["pid"].as_u64()),
        (&Value::from(id.clone()), Some(u64::from(injector.pid())))
    );
    assert_eq!(plan["acting"], true);
    let left = plan["remaining_seconds"].as_u64().unwrap_or_default();
    ensure!((570..=600).contains(&left), "{plan:#}");
    let name = victim.cgroup.path().file_name().context("no name")?.to_string_lossy();
    ensure!(plan["targets"][0].as_str().is_some_and(|target| target.contains(&*name)), "{plan:#}");
    ensure!(plan["rules"][0]["fired"].as_u64().is_some_and(|fired| fired > 0), "{plan:#}");
    // For a person, the same.
    let table = Injector::new(["ps"])?.expect(0)?.stdout;
    ensure!([&id, &*name, operation()?.name].iter().all(|word| table.contains(*word)), "{table}");

    Injector::new(["stop", &id[..4]])?.expect(0)?;
    victim.board.wait_relief(SLACK)?;
    let finished = injector.finish()?.expect(0)?;
    ensure!(finished.stderr.contains("stopped"), "{}", finished.stderr);
    census.gone(Exceptions::None)?;
    ensure!(plans()?.is_empty());
    Ok(())
}

#[test]
fn stop_ends_an_injector_that_does_not_answer() -> Result<()> {
    let (victim, census) = (Steady::start(operation()?)?, Census::take()?);
    let injector = attached(&victim, &["--for", "1h"])?;
    injector.signal(Signal::SIGSTOP)?;
    let start = Instant::now();
    let stop = Injector::new(["stop", "--all"])?.start()?;
    victim.board.wait_relief(LEASE / 2)?;
    eprintln!("the faults ended {:.1} s after the start of `stop`", start.elapsed().as_secs_f64());
    stop.finish()?.expect(0)?;
    injector.finish()?.expect(128 + Signal::SIGKILL as i32)?;
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn stop_leaves_the_command_of_a_run_alone() -> Result<()> {
    let operation = operation()?;
    let (board, folder) = (Board::new(1, 0)?, victim::folder()?);
    let injector = Injector::run(&format!("{}:error=EIO", operation.name))?
        .command(&[victim::STEADY, operation.name, "2"])
        .in_folder(board.stdin()?, folder.path())
        .start()?;
    board.wait_faults(LONG)?;
    Injector::new(["stop", "--all"])?.expect(0)?;
    board.wait_relief(SLACK)?;
    assert_eq!(board.next(20)?.failed, 0);
    board.stop()?;
    injector.finish()?.expect(0)?;
    Ok(())
}

#[test]
fn two_injectors_at_once() -> Result<()> {
    let operation = operation()?;
    let (one, other, census) = (Steady::start(operation)?, Steady::start(operation)?, Census::take()?);
    let first = attached(&one, &[])?;
    let mut second =
        Injector::attach(other.cgroup.path(), &format!("{}:error=ENOSPC", operation.name))?.start()?;
    second.begun()?;
    other.board.wait_faults(SLACK)?;
    let errors =
        |board: &Board| -> Result<(u64, i64)> { board.next(10).map(|next| (next.succeeded, next.error)) };
    assert_eq!(errors(&one.board)?, (0, -i64::from(libc::EIO)));
    assert_eq!(errors(&other.board)?, (0, -i64::from(libc::ENOSPC)));
    assert_eq!(plans()?.len(), 2);

    // A third on the first one's target: whoever decides, every call fails; when one goes, the other acts on.
    let mut third =
        Injector::attach(one.cgroup.path(), &format!("{}:error=EDQUOT", operation.name))?.start()?;
    third.begun()?;
    assert_eq!(one.board.next(20)?.succeeded, 0);
    first.interrupt()?.expect(0)?;
    one.board.next(3)?;
    assert_eq!(errors(&one.board)?, (0, -i64::from(libc::EDQUOT)));
    assert_eq!(errors(&other.board)?, (0, -i64::from(libc::ENOSPC)));
    third.interrupt()?.expect(0)?;
    one.board.wait_relief(SLACK)?;
    assert_eq!(errors(&other.board)?, (0, -i64::from(libc::ENOSPC)));
    second.interrupt()?.expect(0)?;
    other.board.wait_relief(SLACK)?;
    census.gone(Exceptions::None)?;
    Ok(())
}
