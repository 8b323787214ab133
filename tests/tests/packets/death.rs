//! The death of the injector while packets wait in its delay line, at any moment.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    cgroup::Scratch,
    dice::Dice,
    guest,
    injector::Injector,
    network::Echo,
    patience::{LONG, until},
    residue::{Census, Exceptions},
    victim,
};
use nix::sys::signal::Signal;

use crate::{LOCAL, paced};

/// A hundred packets and their echoes wait at a time.
const RULES: [&str; 4] = ["--net", "both udp : loss 10%", "--net", "delay 400ms 100ms duplicate 5%"];

#[test]
fn death_under_load_leaves_nothing() -> Result<()> {
    let rounds = if guest::full() { 100 } else { 4 };
    let (mut dice, seed) = Dice::new()?;
    let (target, echo, census) = (Scratch::new()?, Echo::start(LOCAL)?, Census::take()?);
    let mut sender =
        target.spawn(&mut paced(Command::new(victim::DATAGRAMS), LOCAL, echo.port, (100_000, 4)))?;
    let start = || Injector::new(["attach", "--cgroup"])?.word(target.path()).words(RULES).start();
    let began = Instant::now();
    let mut injector = start()?;
    injector.begun()?;
    let applying = began.elapsed();
    injector.interrupt()?.expect(0)?;
    let (mut acted, mut slowest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let context = || format!("round {round} of seed {seed}");
        let mut injector = start()?;
        if round % 2 == 0 {
            thread::sleep(dice.below(applying * 3 / 2));
        } else {
            injector.begun()?;
            thread::sleep(dice.below(Duration::from_secs(1)));
            if round % 4 == 1 {
                injector.signal(Signal::SIGINT)?;
                thread::sleep(dice.below(Duration::from_secs(1)));
            }
        }
        acted += u32::from(injector.stderr().contains("injector: plan "));
        let _ = injector.signal(Signal::SIGKILL);
        let code = injector.finish()?.code;
        ensure!([0, 137].contains(&code), "{}: exit code {code}", context());
        slowest = slowest.max(census.gone(Exceptions::Named).with_context(context)?);
        let mut came = 0;
        echo.take();
        let passing = until("the sender's packets", LONG, || {
            came += echo.take().len();
            Ok(came > 10)
        });
        passing.with_context(context)?;
    }
    eprintln!("{rounds} deaths of seed {seed}, {acted} after the rules acted; all gone within {slowest:?}");
    ensure!(sender.try_wait()?.is_none(), "the sender has ended");
    sender.kill()?;
    sender.wait()?;
    Injector::new(["recover"])?.expect(0)?;
    drop(target);
    census.gone(Exceptions::None)?;
    Ok(())
}
