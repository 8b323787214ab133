//! `injector pause` and `injector resume`: rules of a live plan off and on, whoever started it.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use injector::engine::control::{self, Switched};

use crate::cli::{
    completions,
    exit::{Code, Failure},
    output,
};

/// Switch rules of a live plan off at once, and keep the plan
///
/// A rule that is off counts what it matches, as `paused`, and does nothing. Calls and packets that wait already go on
/// waiting. `injector resume` switches it on again.
#[derive(Args, Debug)]
pub(super) struct Pause {
    #[command(flatten)]
    which: Which,
}

/// Switch rules of a live plan on again
#[derive(Args, Debug)]
pub(super) struct Resume {
    #[command(flatten)]
    which: Which,
}

/// The rules that are meant.
#[derive(Args, Debug)]
struct Which {
    /// The plan, as `injector ps` lists it: its id, of which the first digits are enough, or its name
    #[arg(value_name = "ID", add = ArgValueCandidates::new(completions::plans))]
    id: String,
    /// Only the rule of this number, as `injector ps` and the report have it; may be given more than once
    #[arg(long, value_name = "NUMBER", add = ArgValueCandidates::new(completions::numbers))]
    rule: Vec<u32>,
    /// Print what was switched, and when, as JSON
    #[arg(long)]
    json: bool,
}

impl Pause {
    pub(super) fn run(self) -> Result<Code, Failure> {
        self.which.switch(true)
    }
}

impl Resume {
    pub(super) fn run(self) -> Result<Code, Failure> {
        self.which.switch(false)
    }
}

impl Which {
    fn switch(self, paused: bool) -> Result<Code, Failure> {
        let plan = control::only(&self.id)?;
        let switched = control::pause(&plan, &self.rule, paused)?;
        if self.json {
            output::print_json(&switched)?;
            return Ok(Code::OK);
        }
        let Switched { plan, rules, .. } = switched;
        let numbers: Vec<_> = rules.iter().map(u32::to_string).collect();
        let (noun, verb) = if rules.len() == 1 { ("rule", "is") } else { ("rules", "are") };
        let state = if paused { "paused" } else { "on" };
        output::note(format_args!("plan {plan}: {noun} {} {verb} {state}", numbers.join(", ")));
        Ok(Code::OK)
    }
}
