//! `injector stop`: ends an injection, whoever started it. First in the kernel, at once; then the injector
//! itself is asked to go, and made to go if it does not.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use clap::Args;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    exit::{Code, Failure},
    output,
    plans::{self, name, pid_of},
};
use crate::{engine, kernel::registry::LivePlan};

/// How long an injector has to end by itself: it looks twice a second, and then takes its programs off.
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
        for plan in &plans {
            plan.halt().map_err(|error| plans::refused("stop", plan, &error))?;
        }
        let mut code = Code::OK;
        for plan in &plans {
            if end(plan)? {
                output::note(format_args!("plan {} has ended", name(plan)));
            } else {
                output::note(format_args!(
                    "plan {} injects nothing any more, but its injector does not end; it is not in this pid namespace",
                    name(plan)
                ));
                code = Code::UNCLEAN;
            }
        }
        Ok(code)
    }
}

/// Waits for the injector to end, and kills it if it does not: one that is stopped or hangs cannot.
fn end(plan: &LivePlan) -> Result<bool, Failure> {
    if gone(plan, PATIENCE)? {
        return Ok(true);
    }
    let Some(pid) = pid_of(plan).and_then(|pid| i32::try_from(pid).ok()) else { return Ok(false) };
    output::note(format_args!("the injector {pid} of plan {} does not answer; killing it", name(plan)));
    // It is gone already if this fails.
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    gone(plan, PATIENCE)
}

/// Does the kernel list the plan no longer, within `patience`?
fn gone(plan: &LivePlan, patience: Duration) -> Result<bool, Failure> {
    let end = Instant::now() + patience;
    loop {
        if !plans::all()?.iter().any(|live| live.header.plan == plan.header.plan) {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        sleep(Duration::from_millis(50));
    }
}
