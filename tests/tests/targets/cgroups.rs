//! Cgroups as targets: made later, nested, many; tasks that are moved.

use std::{fs, time::Instant};

use anyhow::{Result, ensure};
use injector_tests::{
    board::Board,
    cgroup::{Scratch, move_into, spawn_in},
    injector::Injector,
    residue::{Census, Exceptions},
    victim::{self, Shape, Steady, run_calls},
};

use crate::{EIO, SLACK, operation};

#[test]
fn cgroups_that_are_made_later_and_tasks_that_are_moved() -> Result<()> {
    let operation = operation()?;
    let target = Scratch::new()?;
    let mut injector = Injector::attach(target.path(), &format!("{}:error=EIO", operation.name))?.start()?;
    injector.begun()?;

    // Made later, two below, and entered by whoever starts there.
    let below = target.make("later/inner")?;
    let (board, folder) = (Board::new(1, 4)?, victim::folder()?);
    let words = [operation.name, "0", "1", "4"];
    let mut child = spawn_in(&below, &mut victim::command(victim::CALLS, &words, &board, folder.path())?)?;
    child.wait()?;
    assert_eq!(board.results(0)?, [EIO; 4]);
    // Removed and made again under the same name: another cgroup, followed as well.
    fs::remove_dir(&below)?;
    let below = target.make("later/inner")?;
    let board = Board::new(1, 4)?;
    let mut child = spawn_in(&below, &mut victim::command(victim::CALLS, &words, &board, folder.path())?)?;
    child.wait()?;
    assert_eq!(board.results(0)?, [EIO; 4]);

    // Moved in, deeper, out, and in again.
    let victim = Steady::start(operation)?;
    let outside = victim.cgroup.path().to_owned();
    assert_eq!(victim.board.next(10)?.failed, 0);
    for (place, met) in
        [(target.path(), true), (below.as_path(), true), (outside.as_path(), false), (target.path(), true)]
    {
        move_into(place, victim.pid())?;
        victim.board.next(2)?;
        let next = victim.board.next(10)?;
        assert_eq!(if met { next.succeeded } else { next.failed }, 0, "in {}: {next:?}", place.display());
    }
    move_into(&outside, victim.pid())?;
    injector.interrupt()?.expect(0)?;
    Ok(())
}

/// A hundred chains of ten, each of the thousand a target by itself.
#[test]
fn a_thousand_target_cgroups_nested_ten_deep() -> Result<()> {
    let operation = operation()?;
    let (top, folder, outsider) = (Scratch::new()?, victim::folder()?, Steady::start(operation)?);
    let mut targets = Vec::new();
    for chain in 0..100 {
        let mut path = top.path().to_owned();
        for depth in 0..10 {
            path.push(format!("{chain}-{depth}"));
            fs::create_dir(&path)?;
            targets.push(path.clone());
        }
    }
    let mut injector =
        Injector::new(["attach", "--json", "-e", &format!("inject={}:error=EIO", operation.name)])?;
    for target in &targets {
        injector = injector.word("--cgroup").word(target);
    }
    let start = Instant::now();
    let mut injector = injector.start()?;
    injector.begun()?;
    eprintln!("a thousand targets: {:.1} s", start.elapsed().as_secs_f64());
    for target in [0, 9, 500, 555, 990, 999] {
        let board = Board::new(1, 3)?;
        let mut command =
            victim::command(victim::CALLS, &[operation.name, "0", "1", "3"], &board, folder.path())?;
        spawn_in(&targets[target], &mut command)?.wait()?;
        assert_eq!(board.results(0)?, [EIO; 3], "in {}", targets[target].display());
    }
    // Above them, nobody is meant.
    let board = Board::new(1, 3)?;
    let mut command =
        victim::command(victim::CALLS, &[operation.name, "0", "1", "3"], &board, folder.path())?;
    top.spawn(&mut command)?.wait()?;
    assert!(board.failures(0)?.is_empty());
    assert_eq!(outsider.board.next(10)?.failed, 0);
    assert_eq!(injector.interrupt()?.expect(0)?.report()?.rules[0].fired, 6 * 3);
    Ok(())
}

#[test]
fn targets_of_both_kinds_in_one_plan() -> Result<()> {
    let operation = operation()?;
    let census = Census::take()?;
    let (one, other, neither) =
        (Steady::start(operation)?, Steady::start(operation)?, Steady::start(operation)?);
    let mut injector = Injector::attach(one.cgroup.path(), &format!("{}:error=EIO", operation.name))?
        .words(["--once", "--pid", &other.pid().to_string()])
        .start()?;
    injector.begun()?;
    one.board.wait_faults(SLACK)?;
    other.board.wait_faults(SLACK)?;
    assert_eq!(neither.board.next(10)?.failed, 0);
    // One of two targets ends: that is told in the end, and the other goes on.
    drop(one);
    assert_eq!(other.board.next(10)?.succeeded, 0);
    drop(other);
    let finished = injector.finish()?.expect(0)?;
    let told = finished.stderr.lines().skip(1).any(|line| line.contains("scratch-"));
    ensure!(told, "the end of a target is not told: {}", finished.stderr);
    assert_eq!(neither.board.next(10)?.failed, 0);
    drop(neither);
    census.gone(Exceptions::None)?;
    Ok(())
}

/// The injector is never met, even as a member of its own target.
#[test]
fn the_injector_in_its_own_target_goes_on() -> Result<()> {
    let operation = operation()?;
    let victim = Steady::start(operation)?;
    let mut injector = Injector::attach(victim.cgroup.path(), "read,write,openat:error=EIO")?
        .words(["--for", "1m"])
        .logged()
        .start()?;
    injector.begun()?;
    move_into(victim.cgroup.path(), injector.pid())?;
    if operation.name == "read" {
        victim.board.wait_faults(SLACK)?;
    }
    victim.board.next(100)?;
    let finished = injector.interrupt()?.expect(0)?;
    assert!(finished.log.iter().all(|line| line["comm"] == "steady"), "{:#?}", finished.log.last());
    assert!(finished.stderr.contains("matched"), "no table: {}", finished.stderr);
    Ok(())
}

/// Each of 64 rules decides for one call of its own.
#[test]
fn sixty_four_rules() -> Result<()> {
    let (operation, folder) = (operation()?, victim::folder()?);
    // Errors that a security hook may return.
    let errors: Vec<i32> = (1..=70).filter(|&errno| errno != libc::ECHILD).take(64).collect();
    let mut options = Vec::new();
    for (call, errno) in errors.iter().enumerate() {
        options
            .extend(["-e".to_owned(), format!("inject={}:error={errno}:when={}", operation.name, call + 1)]);
    }
    let shape = Shape { processes: 2, threads: 1, calls: 70 };
    let (board, finished) = run_calls(&options, operation.name, shape, folder.path())?;
    let expected: Vec<_> = errors.iter().enumerate().map(|(call, &errno)| (call + 1, errno)).collect();
    assert_eq!(board.failures(0)?, expected);
    assert_eq!(board.failures(1)?, expected);
    let report = finished.report()?;
    assert!(report.rules.iter().all(|rule| (rule.matched, rule.fired) == (140, 2)), "{report:?}");
    Ok(())
}
