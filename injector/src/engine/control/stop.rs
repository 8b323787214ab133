//! The end of a plan by somebody else: first in the kernel, at once; then its injector goes by itself, or is made to.

use std::{
    fmt, fs, io,
    os::fd::OwnedFd,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::{engine::control::error::ControlError, kernel::live::registry::LivePlan};

/// How long an injector has to end by itself: it looks twenty times a second, and then takes its programs off.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often it is looked whether it has.
const STEP: Duration = Duration::from_millis(10);

/// What has become of a plan that was halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Nothing is left of it.
    Ended,
    /// It injects nothing any more, and something of it is left.
    Remains(Remainder),
}

/// Why something is left of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remainder {
    /// Its injector is in another pid namespace, and does not end.
    Elsewhere,
    /// Its injector was killed, and does not end.
    Injector,
    /// Its programs have outlived it.
    Programs,
}

impl fmt::Display for Remainder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elsewhere => "its injector does not end; it is not in this pid namespace",
            Self::Injector => "its injector does not end",
            Self::Programs => "its injector is gone; its programs go when no thread is in them any more",
        })
    }
}

/// Ends the faults of a plan, at once. One that has ended meanwhile is as good.
///
/// # Errors
/// The kernel refuses it.
pub fn halt(plan: &LivePlan) -> Result<(), ControlError> {
    match plan.halt() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ControlError::refused("stop", plan, error))
        }
        _ => Ok(()),
    }
}

/// Waits for the injector of a halted plan to end, and kills it if it does not: one that is stopped or hangs cannot.
/// `kills` is told its process number before that. Takes six seconds at the longest.
///
/// # Errors
/// The kernel no longer tells whether the plan lives.
pub fn end(plan: &LivePlan, kills: impl FnOnce(u32)) -> Result<Stopped, ControlError> {
    if gone(plan)? {
        return Ok(Stopped::Ended);
    }
    let Some(pid) = plan.pid() else { return Ok(Stopped::Remains(Remainder::Elsewhere)) };
    let Some(injector) = owner(pid, plan) else { return Ok(Stopped::Remains(Remainder::Programs)) };
    kills(pid);
    // It is gone already if this fails.
    let _ = pidfd_send_signal(injector, Signal::KILL);
    if gone(plan)? {
        return Ok(Stopped::Ended);
    }
    let lives = owner(pid, plan).is_some();
    Ok(Stopped::Remains(if lives { Remainder::Injector } else { Remainder::Programs }))
}

/// The plan's injector, if it lives: its number may be another process's by now, which does not hold the plan's map.
fn owner(pid: u32, plan: &LivePlan) -> Option<OwnedFd> {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
    // Opened first: as long as it lives the number is its own.
    let process = pidfd_open(number, PidfdFlags::empty()).ok()?;
    let map = format!("map_id:\t{}\n", plan.map);
    let mut files = fs::read_dir(format!("/proc/{pid}/fdinfo")).ok()?.flatten();
    files.any(|file| fs::read_to_string(file.path()).is_ok_and(|text| text.contains(&map))).then_some(process)
}

/// Does the kernel soon list the plan no longer?
fn gone(plan: &LivePlan) -> Result<bool, ControlError> {
    let end = Instant::now() + PATIENCE;
    loop {
        if !plan.is_listed().map_err(|error| ControlError::refused("look for", plan, error))? {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        sleep(STEP);
    }
}
