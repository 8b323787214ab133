//! `injector stop`: ends an injection, whoever started it. First in the kernel, at once; then the injector
//! itself is asked to go, and made to go if it does not.

use std::{
    fs, io,
    os::fd::OwnedFd,
    thread::sleep,
    time::{Duration, Instant},
};

use clap::Args;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::{
    cli::{
        exit::{Code, Failure},
        output,
        plans::{self, name, pid_of},
    },
    engine,
    kernel::live::registry::LivePlan,
};

/// How long an injector has to end by itself: it looks twenty times a second, and then takes its programs off.
const PATIENCE: Duration = Duration::from_secs(3);

/// End an injection, whoever started it.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct Stop {
    /// The plan, as `injector ps` lists it; its first digits are enough
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// End all of them
    #[arg(long)]
    all: bool,
}

impl Stop {
    pub(super) fn run(self) -> Result<Code, Failure> {
        engine::sweep();
        let plans = match &self.id {
            Some(id) => vec![plans::only(id)?],
            None => plans::all()?,
        };
        if plans.is_empty() {
            output::note("nobody injects anything on this machine");
        }
        let mut refused = None;
        let mut code = Code::OK;
        let mut halted = Vec::new();
        for plan in &plans {
            match plan.halt() {
                // One that is not found has ended meanwhile.
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    refused.get_or_insert(plans::refused("stop", plan, &error));
                }
                _ => halted.push(plan),
            }
        }
        for plan in halted {
            if end(plan)? {
                output::note(format_args!("plan {} has ended", name(plan)));
                continue;
            }
            let why = match pid_of(plan) {
                None => "its injector does not end; it is not in this pid namespace",
                Some(pid) if owner(pid, plan).is_some() => "its injector does not end",
                Some(_) => "its injector is gone; its programs go when no thread is in them any more",
            };
            output::note(format_args!("plan {} injects nothing any more, but {why}", name(plan)));
            code = Code::UNCLEAN;
        }
        refused.map_or(Ok(code), Err)
    }
}

/// Waits for the injector to end, and kills it if it does not: one that is stopped or hangs cannot.
fn end(plan: &LivePlan) -> Result<bool, Failure> {
    if gone(plan, PATIENCE)? {
        return Ok(true);
    }
    let Some(pid) = pid_of(plan) else { return Ok(false) };
    let Some(injector) = owner(pid, plan) else { return Ok(false) };
    output::note(format_args!("the injector {pid} of plan {} does not answer; killing it", name(plan)));
    // It is gone already if this fails.
    let _ = pidfd_send_signal(injector, Signal::KILL);
    gone(plan, PATIENCE)
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

/// Does the kernel list the plan no longer, within `patience`?
fn gone(plan: &LivePlan, patience: Duration) -> Result<bool, Failure> {
    let end = Instant::now() + patience;
    loop {
        if !plan.is_listed().map_err(|error| plans::refused("look for", plan, &error))? {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        sleep(Duration::from_millis(10));
    }
}
