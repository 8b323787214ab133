//! What counts and what does not: `times=` over all threads, seeds, the calls of our own start and of
//! everybody else, programs that replace each other, sets of calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    board::Board,
    guest::Kernel,
    injector::Injector,
    patience,
    victim::{self, Shape, run_calls, usual},
};

#[test]
fn times_limits_all_threads_together() -> Result<()> {
    let operation = usual(Kernel::running()?);
    let folder = victim::folder()?;
    let shape = Shape { processes: 4, threads: 4, calls: 40 };
    let rule = format!("inject={}:error=EIO:when=2+:times=25", operation.name);
    let (board, finished) = run_calls(&["-e".into(), rule], operation.name, shape, folder.path())?;
    let mut failed = 0;
    for worker in 0..shape.workers() {
        let failures = board.failures(worker)?;
        assert!(failures.iter().all(|&(number, errno)| number >= 2 && errno == libc::EIO), "{failures:?}");
        failed += failures.len();
    }
    assert_eq!(failed, 25);
    let counts = &finished.report()?.rules[0];
    assert_eq!((counts.matched, counts.fired), (16 * 40, 25));
    assert_eq!((counts.suppressed_by("when"), counts.suppressed_by("times")), (16, 16 * 39 - 25));

    // Alone, a thread meets them in order.
    let rule = format!("inject={}:error=EIO:times=3", operation.name);
    let (board, _) = run_calls(&["-e".into(), rule], operation.name, Shape::single(8), folder.path())?;
    assert_eq!(board.failures(0)?, [(1, libc::EIO), (2, libc::EIO), (3, libc::EIO)]);
    Ok(())
}

/// Threads of a process that count together lose no match and count none twice, however fast they are.
#[test]
fn scopes_count_every_match_once() -> Result<()> {
    let operation = usual(Kernel::running()?);
    let folder = victim::folder()?;
    let shape = Shape { processes: 2, threads: 8, calls: 600 };
    for (scope, groups) in [("process", 2), ("rule", 1)] {
        let rule = format!("inject={}:error=EIO:scope={scope}", operation.name);
        let (_, finished) = run_calls(&["-e".into(), rule], operation.name, shape, folder.path())?;
        let mut numbers: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for line in &finished.log {
            let group = if groups == 1 { Some(0) } else { line["pid"].as_u64() };
            let (group, number) = group.zip(line["decision"].as_u64()).context("no process or no number")?;
            numbers.entry(group).or_default().push(number);
        }
        assert_eq!(numbers.len(), groups, "{scope}");
        let each = (shape.workers() * shape.calls / groups) as u64;
        for of_group in numbers.values_mut() {
            of_group.sort_unstable();
            ensure!(of_group.iter().copied().eq(1..=each), "{scope}: not each of 1 to {each} once");
        }
    }
    Ok(())
}

/// The seed, what each worker saw, and what the log says of it.
type Outcome = (u64, Vec<Vec<(usize, i32)>>, BTreeSet<String>);

#[test]
fn a_seed_makes_a_run_repeatable() -> Result<()> {
    let operation = usual(Kernel::running()?);
    let folder = victim::folder()?;
    let shape = Shape { processes: 3, threads: 3, calls: 50 };
    let run = |seed: Option<u64>| -> Result<Outcome> {
        let mut options = vec!["-e".to_owned(), format!("inject={}:error=EIO:prob=20%", operation.name)];
        if let Some(seed) = seed {
            options.extend(["--seed".to_owned(), seed.to_string()]);
        }
        let (board, finished) = run_calls(&options, operation.name, shape, folder.path())?;
        let failures = (0..shape.workers()).map(|worker| board.failures(worker)).collect::<Result<_>>()?;
        // What may differ between two runs: times, plans, processes, and so addresses and descriptors.
        let decisions = finished.log.iter().map(|line| {
            format!(
                "{} {} {} {} {}",
                line["rule"], line["tree_position"], line["syscall"], line["decision"], line["verdict"]
            )
        });
        let seed = finished.report()?.seed;
        if !options.contains(&"--seed".to_owned()) {
            ensure!(
                finished.stderr.contains(&seed.to_string()),
                "the chosen seed is not told: {}",
                finished.stderr
            );
        }
        Ok((seed, failures, decisions.collect()))
    };
    let first = run(Some(7))?;
    assert_eq!(first.0, 7);
    assert_eq!(run(Some(7))?, first);
    assert_ne!(run(Some(8))?.1, first.1);
    // A seed that was chosen for us can be given again.
    let chosen = run(None)?;
    assert_eq!(run(Some(chosen.0))?, chosen);
    Ok(())
}

/// The calls of everybody else, a million of them, while the same call fails in the target all the time.
#[test]
fn an_outsider_meets_no_fault() -> Result<()> {
    let operation = usual(Kernel::running()?);
    let folder = victim::folder()?;
    let inside = Board::new(1, 0)?;
    let mut target = Injector::run(&format!("{}:error=EIO", operation.name))?
        .command(&[victim::STEADY, operation.name, "0"])
        .in_folder(inside.stdin()?, folder.path())
        .start()?;
    target.begun()?;
    inside.wait_ready(1)?;

    let outside = Board::new(1, 0)?;
    let start = Instant::now();
    let mut outsider =
        victim::command(victim::STEADY, &[operation.name, "0", "1000000"], &outside, folder.path())?
            .spawn()?;
    ensure!(outsider.wait()?.success(), "the outsider failed");
    eprintln!("a million calls outside: {:.1} s", start.elapsed().as_secs_f64());
    let tally = outside.tally()?;
    assert_eq!((tally.succeeded, tally.failed, tally.error), (1_000_000, 0, 0));

    inside.stop()?;
    target.finish()?.expect(0)?;
    let tally = inside.tally()?;
    assert_eq!((tally.succeeded, tally.error), (0, -i64::from(libc::EIO)));
    assert!(tally.failed > 10_000, "meanwhile the target made only {} calls", tally.failed);
    Ok(())
}

/// The rules act from the return of the command's execve on: nothing of our own start counts.
#[test]
fn what_the_injector_does_to_start_the_command_does_not_count() -> Result<()> {
    let rules = ["execve", "write", "openat", "read", "mmap", "clone", "clone3"];
    let mut injector = Injector::new(["run", "--json"])?;
    for call in rules {
        injector = injector.words(["-e", &format!("inject={call}:error=EACCES:times=1")]);
    }
    let board = Board::new(1, 5)?;
    let folder = victim::folder()?;
    // mkdir: its preparation makes none of the calls above.
    let finished = injector
        .command(&[victim::CALLS, "mkdir", "0", "1", "5"])
        .in_folder(board.stdin()?, folder.path())
        .finish()?;
    // mmap fails in the command, and only there: it cannot map its board.
    finished.expect(99).map(drop)
}

/// A chain of programs that replace each other is one thread, whose count goes on.
#[test]
fn exec_keeps_the_count() -> Result<()> {
    // The command's own execve is over when the rules begin. sh becomes env: the first. env cannot become
    // true, the second, and has a code for that. (Without paths, both would try elsewhere.)
    let finished = Injector::run("execve:error=EACCES:when=2")?
        .json()
        .command(&["sh", "-c", "exec /usr/bin/env /usr/bin/true"])
        .expect(126)?;
    let counts = &finished.report()?.rules[0];
    assert_eq!((counts.fired, counts.suppressed_by("when")), (1, counts.matched - 1));
    Ok(())
}

/// A rule on a class fails the calls of the class that the kernel can fail, and never those that nobody
/// survives.
#[test]
fn a_class_leaves_out_what_is_not_safe() -> Result<()> {
    let finished =
        Injector::new(["run", "--dry-run", "-e", "inject=%desc:error=EIO"])?.command(&["true"]).expect(0)?;
    assert!(
        finished.stdout.contains("leaves out") && finished.stdout.contains("close"),
        "{}",
        finished.stdout
    );
    Ok(())
}

/// Many calls and rules at once: the host would be too slow if each function's loading were.
#[test]
fn a_negation_of_everything_loads() -> Result<()> {
    let start = Instant::now();
    let finished = Injector::new(["run", "--json", "-e", "inject=!getppid:error=EIO:when=65535"])?
        .command(&["true"])
        .expect(0)?;
    eprintln!("hundreds of calls: {:.1} s", start.elapsed().as_secs_f64());
    assert!(finished.report()?.rules[0].matched > 0);
    ensure!(start.elapsed() < 2 * patience::LONG, "it took {:?}", start.elapsed());
    Ok(())
}
