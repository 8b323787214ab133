//! Delays that come and go while a plan lives, and programs of others at the same function.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use injector_tests::{
    guest,
    injector::Injector,
    residue::{Census, Exceptions},
};

use crate::{Caller, can_delay};

#[test]
fn delays_come_and_go_with_a_change() -> Result<()> {
    if !can_delay()? {
        return Ok(());
    }
    let (caller, census) = (Caller::start(2)?, Census::take()?);
    let mut injector = caller.attach(&["fsync@64:error=EPERM:when=60000"])?;
    let id = injector.begun()?;
    let change = |rule: &str| -> Result<()> {
        Injector::new(["change", &id, "-e", &format!("inject={rule}")])?.expect(0)?;
        Ok(())
    };
    for _ in 0..if guest::full() { 10 } else { 2 } {
        // The program that was at the function goes while somebody sleeps in front of it.
        change("fsync@64:delay_enter=700ms")?;
        caller.wait_asleep(1)?;
        caller.woken(Instant::now(), Duration::from_millis(700))?;
        caller.wait_asleep(1)?;
        change("fsync@64:error=EPERM:when=60000")?;
        // No delay is left, so nobody sleeps any more.
        caller.wait_undelayed()?;
    }
    injector.interrupt()?.expect(0)?;
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn another_injector_may_go_while_somebody_sleeps_in_front_of_its_programs() -> Result<()> {
    if !can_delay()? {
        return Ok(());
    }
    let (caller, census) = (Caller::start(4)?, Census::take()?);
    for _ in 0..if guest::full() { 10 } else { 1 } {
        let other = caller.attach(&["fsync@64:error=EIO:when=60000"])?;
        let injector = caller.attach(&["fsync@64:delay_enter=1500ms"])?;
        caller.wait_asleep(2)?;
        other.interrupt()?.expect(0)?;
        caller.woken(Instant::now(), Duration::from_millis(1500))?;
        injector.interrupt()?.expect(0)?;
        census.gone(Exceptions::None)?;
    }
    Ok(())
}

#[test]
fn a_delay_without_an_end_lasts_as_long_as_its_rule() -> Result<()> {
    if !can_delay()? {
        return Ok(());
    }
    let (mut caller, census) = (Caller::start(2)?, Census::take()?);
    let rules = ["fsync@64:delay_enter=forever", "getpgid@64:delay_enter=1ms"];
    let mut injector = caller.attach(&rules)?;
    let id = injector.begun()?;
    caller.wait_asleep(2)?;
    let start = Instant::now();
    thread::sleep(Duration::from_millis(1500));
    ensure!(caller.since(start).is_empty() && caller.asleep()? == 2, "somebody woke up");
    // The other rule goes on, and with it what makes calls wait.
    Injector::new(["change", &id, "-e", "inject=getpgid@64:delay_enter=1ms"])?.expect(0)?;
    caller.woken(start, Duration::from_millis(1500))?;
    caller.wait_undelayed()?;
    Injector::new(["change", &id, "-e", "inject=fsync@64:delay_exit=forever:error=EIO"])?.expect(0)?;
    caller.wait_asleep(2)?;
    caller.child.kill()?;
    caller.child.wait()?;
    injector.interrupt()?.expect(0)?;

    // And the rule no longer than its plan, whose end the kernel keeps.
    let caller = Caller::start(1)?;
    let (pid, start) = (caller.pid().to_string(), Instant::now());
    Injector::new(["attach", "--pid", &pid, "--for", "2s", "-e", "inject=fsync@64:delay_enter=forever"])?
        .expect(0)?;
    caller.woken(start, Duration::from_secs(1))?;
    caller.wait_undelayed()?;
    census.gone(Exceptions::None)?;
    Ok(())
}
