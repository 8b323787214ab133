//! Whoever is killed, at whichever moment: nobody stays asleep, nothing stays behind, and the kernel frees nothing
//! that a sleeper still comes to. What it frees too early crashes it, and a crash fails the run.

use std::{
    thread,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use injector_common::random::mix;
use injector_tests::{
    guest,
    injector::Running,
    patience,
    residue::{Census, Exceptions},
};
use nix::{errno::Errno, sys::signal::Signal};

use crate::{Caller, can_delay, helper, signal};

const HELPERS: [&str; 3] = ["injector-fuse", "injector-pager", "injector-wdog"];

/// What is done to a plan that makes calls wait.
#[derive(Clone, Copy, Debug)]
enum Blow {
    /// Ctrl-C.
    Interrupt,
    /// SIGKILL for the injector.
    Injector,
    /// For one of the helpers.
    Helper(usize),
    /// For all four, from this one on, as fast as a process can.
    All(usize),
    /// The same, with a server that stands still and is left so.
    AllButTheStopped(usize),
    /// The server stands still.
    Stop,
    /// Those who sleep are killed.
    Victim,
}

impl Blow {
    fn strike(self, injector: &Running, caller: &mut Caller) -> Result<()> {
        let helpers = HELPERS.map(helper);
        let mut all: Vec<_> = helpers.into_iter().collect::<Result<_>>()?;
        all.push(injector.pid());
        match self {
            Self::Interrupt => injector.signal(Signal::SIGINT)?,
            Self::Injector => injector.signal(Signal::SIGKILL)?,
            Self::Helper(which) => signal(all[which], Signal::SIGKILL)?,
            Self::Stop => signal(all[0], Signal::SIGSTOP)?,
            Self::All(first) => {
                all.rotate_left(first);
                all.iter().try_for_each(|&pid| kill_if_alive(pid))?;
            }
            Self::AllButTheStopped(first) => {
                signal(all.remove(0), Signal::SIGSTOP)?;
                all.rotate_left(first % 3);
                all.iter().try_for_each(|&pid| kill_if_alive(pid))?;
            }
            Self::Victim => {
                caller.child.kill()?;
                caller.child.wait()?;
                injector.signal(Signal::SIGINT)?;
            }
        }
        Ok(())
    }
}

/// One of them may have followed another by now.
fn kill_if_alive(pid: u32) -> Result<()> {
    signal(pid, Signal::SIGKILL).or_else(|error| match error.downcast_ref() {
        Some(Errno::ESRCH) => Ok(()),
        _ => Err(error),
    })
}

/// One of each in a short run.
fn blows(draw: u64) -> Result<Vec<Blow>> {
    let any = |count: u64| usize::try_from(draw / 7 % count);
    Ok(if guest::full() {
        (0..100)
            .map(|round| {
                let draw = mix(draw + round);
                let any = |count: u64| usize::try_from(draw / 7 % count);
                Ok(match draw % 16 {
                    0 => Blow::Interrupt,
                    1 | 2 => Blow::Injector,
                    3..=5 => Blow::Helper(any(3)?),
                    6 => Blow::Stop,
                    7 | 8 => Blow::Victim,
                    9..=12 => Blow::All(any(4)?),
                    _ => Blow::AllButTheStopped(any(3)?),
                })
            })
            .collect::<Result<_>>()?
    } else {
        vec![Blow::Injector, Blow::All(any(4)?), Blow::AllButTheStopped(any(3)?), Blow::Victim]
    })
}

#[test]
fn whoever_is_killed_nobody_sleeps_on_and_nothing_stays() -> Result<()> {
    if !can_delay()? {
        return Ok(());
    }
    let start = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let (mut caller, census) = (Caller::start(12)?, Census::take()?);
    for (blow, round) in blows(mix(start))?.into_iter().zip(1..) {
        let draw = mix(start + round);
        let context = || format!("round {round}, {draw}, {blow:?}");
        // Programs that do not sleep, of somebody else, behind those that do. They go as well.
        let other = if draw.is_multiple_of(2) {
            Some(caller.attach(&["fsync@64:error=EIO:when=60000"])?)
        } else {
            None
        };
        let rule =
            ["fsync@64:delay_enter=9s", "fsync@64:delay_exit=9s", "fsync@64:delay_enter=1ms:delay_exit=2ms"];
        let rule = rule[usize::try_from(draw % 5 / 2)?];
        let injector = caller.attach(&[rule])?;
        if rule.ends_with("9s") {
            caller.wait_asleep(2).with_context(|| injector.stderr())?;
        }
        thread::sleep(Duration::from_millis(draw / 16 % 300));
        if let Some(other) = &other {
            other.signal(Signal::SIGKILL)?;
        }
        blow.strike(&injector, &mut caller).with_context(context)?;
        injector.finish()?;
        other.map(Running::finish).transpose()?;
        // It waits for all who sleep, and the kernel for all tasks, a few times.
        patience::until("the end of the watchdog", patience::LONG, || Ok(helper(HELPERS[2]).is_err()))?;
        let gone = census.gone(Exceptions::None).with_context(context)?;
        if matches!(blow, Blow::Victim) {
            caller = Caller::start(12)?;
        }
        caller.wait_undelayed().with_context(context)?;
        eprintln!("{}: all gone {gone:?} later", context());
    }
    Ok(())
}
