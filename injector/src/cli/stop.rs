//! `injector stop`: ends an injection, whoever started it. First in the kernel, at once; then the injector
//! itself is asked to go, and made to go if it does not.

use clap::Args;
use injector::engine::{
    self,
    control::{self, Stopped},
};

use crate::cli::{
    exit::{Code, Failure},
    output,
};

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
            Some(id) => vec![control::only(id)?],
            None => control::all()?,
        };
        if plans.is_empty() {
            output::note("nobody injects anything on this machine");
        }
        let mut refused = None;
        let mut code = Code::OK;
        let mut halted = Vec::new();
        // All of them first: what takes time comes when nothing is injected any more.
        for plan in &plans {
            match control::halt(plan) {
                Err(error) => _ = refused.get_or_insert(error),
                Ok(()) => halted.push(plan),
            }
        }
        for plan in halted {
            let id = plan.id();
            let killed = |pid| {
                output::note(format_args!("the injector {pid} of plan {id} does not answer; killing it"));
            };
            match control::end(plan, killed)? {
                Stopped::Ended => output::note(format_args!("plan {id} has ended")),
                Stopped::Remains(why) => {
                    output::note(format_args!("plan {id} injects nothing any more, but {why}"));
                    code = Code::UNCLEAN;
                }
            }
        }
        refused.map_or(Ok(code), |error| Err(error.into()))
    }
}
