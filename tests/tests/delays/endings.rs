//! The end of a delay before its time: with the plan, and with each of the processes that it needs.

use std::{
    cell::Cell,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    guest,
    injector::{Finished, Injector, Running},
    patience,
    residue::{Census, Exceptions},
};
use nix::sys::signal::Signal;

use crate::{Caller, DELAYED, SLACK, can_delay, helper, signal};

/// Long enough to be ended by what ends it here, and not by itself.
const RULE: &str = "fsync@64:delay_enter=9s";

/// Somebody who sleeps, and an injector; what `end` does has to wake him within `limit`.
fn ended(limit: Duration, end: impl Fn(&Running, &Caller) -> Result<()>) -> Result<Finished> {
    let (caller, census) = (Caller::start(1)?, Census::take()?);
    let injector = caller.attach(&[RULE])?;
    caller.wait_asleep(1)?;
    thread::sleep(DELAYED);
    let start = Instant::now();
    end(&injector, &caller)?;
    let after = caller.woken(start, DELAYED)?;
    ensure!(after < limit, "woken {after:?} later");
    let finished = injector.finish()?;
    census.gone(Exceptions::None)?;
    caller.wait_undelayed()?;
    Ok(finished)
}

#[test]
fn a_plan_that_ends_wakes_everybody() -> Result<()> {
    if !can_delay()? {
        return Ok(());
    }
    ended(SLACK, |injector, _| injector.signal(Signal::SIGINT))?.expect(0)?;
    ended(SLACK, |injector, _| injector.signal(Signal::SIGKILL))?.expect(137)?;
    Ok(())
}

#[test]
fn the_death_of_a_helper_ends_the_plan_with_the_reason() -> Result<()> {
    if !can_delay()? {
        return Ok(());
    }
    for name in ["injector-fuse", "injector-pager", "injector-wdog"] {
        let finished =
            ended(SLACK, |_, _| signal(helper(name)?, Signal::SIGKILL)).context(name)?.expect(1)?;
        ensure!(finished.stderr.contains("was ended from outside"), "{name}: {}", finished.stderr);
    }
    Ok(())
}

#[test]
fn a_server_that_stands_still_is_found_out() -> Result<()> {
    if !can_delay()? {
        return Ok(());
    }
    let stalled = Duration::from_secs(4) + SLACK;
    let finished = ended(stalled, |_, _| signal(helper("injector-fuse")?, Signal::SIGSTOP))?.expect(1)?;
    ensure!(finished.stderr.contains("the process that wakes delayed calls"), "{}", finished.stderr);
    // The injector cannot help: it stands still as well.
    ended(stalled, |injector, caller| {
        let start = Instant::now();
        signal(helper("injector-fuse")?, Signal::SIGSTOP)?;
        injector.signal(Signal::SIGSTOP)?;
        let after = caller.woken(start, DELAYED)?;
        ensure!(after < stalled, "woken {after:?} later");
        injector.signal(Signal::SIGCONT)
    })?;
    Ok(())
}

#[test]
fn who_is_killed_in_his_sleep_dies() -> Result<()> {
    if !can_delay()? {
        return Ok(());
    }
    let (mut caller, census) = (Caller::start(4)?, Census::take()?);
    let injector = caller.attach(&[RULE])?;
    caller.wait_asleep(2)?;
    caller.child.kill()?;
    let start = Instant::now();
    caller.child.wait()?;
    ensure!(start.elapsed() < SLACK, "{:?}", start.elapsed());
    injector.finish()?.expect(0)?;
    census.gone(Exceptions::None)?;
    Ok(())
}

/// Nobody asks the helpers to end when the injector is killed, so one that is stopped must not have to answer.
#[test]
fn stopped_helpers_end_with_a_killed_injector() -> Result<()> {
    /// Some of the four processes, as bits; the last is the injector itself.
    const HELPERS: [&str; 3] = ["injector-fuse", "injector-pager", "injector-wdog"];
    const ALONE: [u32; 5] = [0b0100, 0b0101, 0b0110, 0b0111, 0b1111];
    if !can_delay()? {
        return Ok(());
    }
    let stopped: Vec<u32> =
        if guest::full() { (0..50).map(|round| 1 + round % 15).collect() } else { ALONE.into() };
    let slowest = Cell::new(Duration::ZERO);
    for (round, stopped) in stopped.iter().enumerate() {
        ended(2 * SLACK, |injector, caller| {
            for (name, bit) in HELPERS.iter().zip(0..) {
                if stopped >> bit & 1 == 1 {
                    signal(helper(name)?, Signal::SIGSTOP)?;
                }
            }
            if stopped >> HELPERS.len() & 1 == 1 {
                injector.signal(Signal::SIGSTOP)?;
            }
            let start = Instant::now();
            injector.signal(Signal::SIGKILL)?;
            slowest.set(slowest.get().max(caller.woken(start, DELAYED)?));
            Ok(())
        })
        .with_context(|| format!("round {round}: {stopped:04b}"))?
        .expect(137)?;
    }
    eprintln!("{} deaths; everybody was awake within {:?}", stopped.len(), slowest.get());
    Ok(())
}

/// The injector stays for the command's sake; what made calls wait does not.
#[test]
fn no_helper_outlives_the_rules_of_a_command() -> Result<()> {
    const HELPERS: [&str; 3] = ["injector-fuse", "injector-pager", "injector-wdog"];
    if !can_delay()? {
        return Ok(());
    }
    let census = Census::take()?;
    let words = ["run", "--for", "3s", "-e", "inject=fsync@64:delay_enter=20ms"];
    let mut injector = Injector::new(words)?.command(&["sleep", "1000"]).start()?;
    injector.begun()?;
    HELPERS.into_iter().try_for_each(|name| helper(name).map(drop))?;
    patience::until("the end of the helpers", patience::LONG, || {
        Ok(HELPERS.into_iter().all(|name| helper(name).is_err()))
    })?;
    ensure!(!injector.has_ended()?);
    injector.signal(Signal::SIGTERM)?;
    injector.finish()?.expect(128 + Signal::SIGTERM as i32)?;
    census.gone(Exceptions::None)?;
    Ok(())
}
