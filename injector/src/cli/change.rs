//! `injector change`: other rules for a live plan, whoever started it. The injector that owns it is asked
//! through the kernel, does it, and answers.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use injector::{
    engine::{
        control::{self, Wanted},
        request::Until,
    },
    kernel::live::registry::LivePlan,
    plan::{Change as Changed, Numbered},
};

use crate::cli::{
    arguments::{Rules, until},
    completions,
    exit::{Code, Failure},
    output,
};

/// Change a live plan without a pause, as `tc qdisc change` does.
///
/// The rules given are all that the plan has from then on. A rule that means the same as before, or differs only in a
/// probability, a delay, a rate or a limit, goes on without a gap, with its counters. New rules start at zero; the others
/// stop, and remain in the closing report. The seed stays, and so does the end unless --for is given. If the new rules
/// are refused, nothing changes.
#[derive(Args, Debug)]
pub(super) struct Change {
    /// The plan, as `injector ps` lists it: its id, of which the first digits are enough, or its name
    #[arg(value_name = "ID", add = ArgValueCandidates::new(completions::plans))]
    id: String,
    #[command(flatten)]
    rules: Rules,
    /// End so long from now, such as 30s or 5m; `forever` for no limit
    #[arg(long = "for", value_name = "TIME", help_heading = "Plan")]
    duration: Option<String>,
    /// Print what has changed as JSON
    #[arg(long, help_heading = "Report")]
    json: bool,
    /// Allow dangerous calls: close, futex, …
    #[arg(long = "unsafe", help_heading = "Plan")]
    allow_unsafe: bool,
}

impl Change {
    pub(super) fn run(self) -> Result<Code, Failure> {
        // What is wrong with the text itself is said here, where it was typed.
        let rules = self.rules.parse()?;
        let until = self.duration.as_deref().map(until).transpose()?;
        if rules.is_empty() && until.is_none() {
            return Err(Failure::usage(
                "change needs a rule or --for, and neither was given",
                "name all rules that the plan is to have, or end it with `injector stop`",
            ));
        }
        let plan = control::only(&self.id)?;
        let wanted = Wanted { texts: self.rules.texts(), rules, until, allow_unsafe: self.allow_unsafe };
        let change = control::change(&plan, wanted)?;
        if self.json {
            output::print_json(&change.unwrap_or_default())?;
            return Ok(Code::OK);
        }
        if let Some(change) = change {
            told(&plan, &change);
        }
        let name = plan.id();
        match (until, &self.duration) {
            (Some(Until::Forever), _) => output::note(format_args!("plan {name} has no end of its own")),
            (_, Some(text)) => output::note(format_args!("plan {name} ends in {text}")),
            (_, None) => {}
        }
        Ok(Code::OK)
    }
}

fn told(plan: &LivePlan, change: &Changed) {
    let name = plan.id();
    let counts = [
        ("kept", &change.kept),
        ("adjusted", &change.adjusted),
        ("added", &change.added),
        ("removed", &change.removed),
    ];
    let shown = counts.into_iter().filter(|(what, rules)| *what != "adjusted" || !rules.is_empty());
    let counts: Vec<_> = shown.map(|(what, rules)| format!("{} {what}", rules.len())).collect();
    output::note(format_args!("plan {name} has changed: {}", counts.join(", ")));
    let lines = |what: &str, rules: &[Numbered]| {
        for rule in rules {
            output::note(format_args!("{what} rule {}: `{}`", rule.rule, rule.text));
        }
    };
    lines("adjusted", &change.adjusted);
    lines("added", &change.added);
    lines("removed", &change.removed);
    for text in &change.notes {
        output::note(format_args!("note: {}", output::shortened(text)));
    }
}
