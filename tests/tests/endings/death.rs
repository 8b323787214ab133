//! The death of the injector, at any moment: while it applies its rules, while they act, or while it
//! takes them back.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    board::Board,
    dice::Dice,
    guest::{self},
    injector::Injector,
    residue::{Census, Exceptions},
    victim::{self, Steady},
};
use nix::sys::signal::Signal;

use crate::{SLACK, attached, cgroups_of_commands, operation, wait_empty};

/// Rules on packets as well: slower to apply, and more that could be left behind.
const NET: [&str; 4] = ["--net", "both : loss 1%", "--net", "delay 5ms 2ms"];

/// How long an injector with these options takes to apply its rules, and to take them back.
fn times(victim: &Steady, options: &[&str]) -> Result<(Duration, Duration)> {
    let start = Instant::now();
    let injector = attached(victim, options)?;
    let applying = start.elapsed();
    let start = Instant::now();
    injector.interrupt()?.expect(0)?;
    Ok((applying, start.elapsed()))
}

#[test]
fn death_at_any_moment_leaves_nothing() -> Result<()> {
    let operation = operation()?;
    let rounds = if guest::full() { 100 } else { 15 };
    let (mut dice, seed) = Dice::new()?;
    let (victim, census) = (Steady::start(operation)?, Census::take()?);
    let (plain, net) = (times(&victim, &[])?, times(&victim, &NET)?);
    eprintln!("seed {seed}; applying and reverting takes {plain:?}, with packets {net:?}");

    let rule = format!("{}:error=EIO", operation.name);
    let (mut acted, mut slowest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let context = || format!("round {round} of seed {seed}");
        let (board, folder) = (Board::new(1, 0)?, victim::folder()?);
        let injector = if round % 2 == 0 {
            Injector::attach(victim.cgroup.path(), &rule)?
        } else {
            Injector::run(&rule)?
                .command(&[victim::STEADY, operation.name, "2"])
                .in_folder(board.stdin()?, folder.path())
        };
        let (options, (applying, reverting)) =
            if round % 3 == 0 { (&NET[..], net) } else { (&[][..], plain) };
        let mut injector = injector.words(options).start()?;
        if round % 5 < 3 {
            thread::sleep(dice.below(applying * 3 / 2));
        } else {
            injector.begun()?;
            thread::sleep(dice.below(Duration::from_millis(100)));
            if round % 5 == 4 {
                injector.signal(Signal::SIGINT)?;
                thread::sleep(dice.below(reverting));
            }
        }
        acted += u32::from(injector.stderr().contains("injector: plan "));
        let _ = injector.signal(Signal::SIGKILL);
        let code = injector.finish()?.code;
        // The command had the SIGINT as well, and may have been the first to end.
        ensure!([0, 130, 137].contains(&code), "{}: exit code {code}", context());
        slowest = slowest.max(census.gone(Exceptions::Named).with_context(context)?);
        victim.board.wait_relief(SLACK).with_context(context)?;
        for path in cgroups_of_commands()? {
            if !fs::read_to_string(path.join("cgroup.procs"))?.is_empty() {
                board.next(1).with_context(context)?;
                board.wait_relief(SLACK).with_context(context)?;
                assert_eq!(board.next(10)?.failed, 0, "{}", context());
                fs::write(path.join("cgroup.kill"), "1")?;
            }
        }
        wait_empty()?;
    }
    eprintln!("{rounds} deaths, {acted} of them after the rules acted; all gone within {slowest:?}");
    // What promise 3 names goes with the next start.
    Injector::run("read:error=EIO:when=60000")?.words(NET).command(&["true"]).expect(0)?;
    census.gone(Exceptions::None)?;
    Ok(())
}
