//! `injector stop`: ends an injection, whoever started it. First in the kernel, at once; then the injector
//! itself is asked to go, and made to go if it does not.

use clap::{ArgGroup, Args};
use clap_complete::engine::ArgValueCandidates;
use injector::engine::{
    self,
    control::{self, Stopped},
};
use serde::Serialize;

use crate::cli::{
    completions,
    exit::{Code, Failure},
    output,
};

/// End an injection, whoever started it.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("which").required(true).args(["id", "all"])))]
pub(super) struct Stop {
    /// The plan, as `injector ps` lists it: its id, of which the first digits are enough, or its name
    #[arg(value_name = "ID", add = ArgValueCandidates::new(completions::plans))]
    id: Option<String>,
    /// End all of them
    #[arg(long)]
    all: bool,
    /// Print what has become of each as JSON
    #[arg(long)]
    json: bool,
}

/// What has become of a plan, as `--json` has it.
#[derive(Debug, Serialize)]
struct Told {
    id: String,
    /// Is nothing left of it?
    ended: bool,
    /// What is left, and why; null if nothing is. It injects nothing any more in any case.
    why: Option<String>,
}

impl Stop {
    pub(super) fn run(self) -> Result<Code, Failure> {
        engine::sweep();
        let plans = match &self.id {
            Some(id) => vec![control::only(id)?],
            None => control::all()?,
        };
        if plans.is_empty() && !self.json {
            output::note("nobody injects anything on this machine");
        }
        let mut refused = None;
        let mut code = Code::OK;
        let (mut halted, mut told) = (Vec::new(), Vec::new());
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
            let why = match control::end(plan, killed)? {
                Stopped::Ended => None,
                Stopped::Remains(why) => Some(why.to_string()),
            };
            match &why {
                _ if self.json => {}
                None => output::note(format_args!("plan {id} has ended")),
                Some(why) => output::note(format_args!("plan {id} injects nothing any more, but {why}")),
            }
            if why.is_some() {
                code = Code::UNCLEAN;
            }
            told.push(Told { id, ended: why.is_none(), why });
        }
        if self.json {
            output::print_json(&told)?;
        }
        refused.map_or(Ok(code), |error| Err(error.into()))
    }
}
