//! Why a live plan could not be seen, ended or changed, with what to do about it.

use std::io;

use crate::{
    engine::{Blame, EngineError},
    kernel::{
        live::registry::LivePlan,
        probe::refusal::{self, Attempt},
    },
    plan::unsupported::is_permission,
    printable::Printable,
};

/// What went wrong with somebody else's plan.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The plans cannot be listed.
    #[error("cannot list the kernel's BPF maps: {source}{}", why(source))]
    List {
        /// Why.
        source: io::Error,
    },
    /// No plan has a number that begins like this.
    #[error("no injection on this machine has the id or the name {}", Printable(.0))]
    Unknown(String),
    /// Several have the same name.
    #[error("{} injections have the name {}", .ids.len(), Printable(.name))]
    SameName {
        /// What was typed.
        name: String,
        /// Their numbers.
        ids: Vec<String>,
    },
    /// Several have.
    #[error("{plans} injections have an id that begins with {}", Printable(.id))]
    Ambiguous {
        /// What was typed.
        id: String,
        /// How many.
        plans: usize,
    },
    /// It has no rule of that number.
    #[error("plan {plan} has no rule {rule}")]
    NoRule {
        /// The plan.
        plan: String,
        /// What was asked for.
        rule: u32,
        /// What it has.
        rules: Vec<u32>,
    },
    /// It has had no rule yet.
    #[error("plan {0} is idle: it has no rule that could be paused")]
    Idle(String),
    /// Its rules are too long to be listed.
    #[error("the rules of plan {0} are too long to be listed")]
    Unlisted(String),
    /// The kernel refused something.
    #[error("cannot {what} plan {plan}: {source}")]
    Kernel {
        /// What was to be done: "stop", "change".
        what: &'static str,
        /// The plan.
        plan: String,
        /// Why.
        source: io::Error,
    },
    /// A rule's file or host cannot be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The request cannot be written.
    #[error("cannot write the request: {0}")]
    Request(#[source] serde_json::Error),
    /// A request has no room for so many rules.
    #[error("the rules are too long: {bytes} bytes, and a request holds {most}")]
    TooLong {
        /// What they take.
        bytes: usize,
        /// What there is.
        most: usize,
    },
    /// Somebody else's request is there.
    #[error("cannot change plan {0}: somebody else is about to change it")]
    Busy(String),
    /// The injector did not answer in time.
    #[error(
        "the injector of plan {plan} does not answer; {}",
        if *.withdrawn { "nothing has changed" } else { "whether it has changed the plan is not known" }
    )]
    Unanswered {
        /// The plan.
        plan: String,
        /// The request was taken back before the injector had seen it.
        withdrawn: bool,
    },
    /// The plan ended before there was an answer.
    #[error("cannot change plan {0}: it has ended meanwhile")]
    Ended(String),
    /// The injector refused the change.
    #[error("cannot change plan {plan}, which goes on as it was: {message}")]
    Refused {
        /// The plan.
        plan: String,
        /// Why, in the injector's words.
        message: String,
        /// What to do, in the injector's words.
        hint: String,
        /// Whose fault it is.
        blame: Blame,
    },
    /// The answer is no answer.
    #[error("the injector of plan {plan} gives an answer that cannot be read: {source}")]
    Unreadable {
        /// The plan.
        plan: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// The cause behind the error, if that is known.
fn why(error: &io::Error) -> String {
    refusal::cause(error, Attempt::List).map_or_else(String::new, |cause| format!(": {}", cause.why))
}

impl ControlError {
    pub(super) fn refused(what: &'static str, plan: &LivePlan, source: io::Error) -> Self {
        Self::Kernel { what, plan: plan.id(), source }
    }

    /// What to do about it; may be empty.
    pub fn hint(&self) -> String {
        match self {
            Self::List { source } => {
                refusal::cause(source, Attempt::List).map_or_else(String::new, |cause| cause.remedy)
            }
            Self::Unknown(_) => "`injector ps` lists them".into(),
            Self::SameName { ids, .. } => format!("type the id of one: {}", ids.join(", ")),
            Self::Ambiguous { .. } => "type more of its digits".into(),
            Self::NoRule { rules, .. } => {
                let numbers: Vec<_> = rules.iter().map(u32::to_string).collect();
                match &numbers[..] {
                    [] => "its rules are too long to be listed: their numbers count from 0".into(),
                    [number] => format!("its only rule is {number}; `injector ps` lists it"),
                    _ => format!("its rules are {}; `injector ps` lists them", numbers.join(", ")),
                }
            }
            Self::Idle(plan) => format!("give it rules first: `injector change {plan} …`"),
            Self::Unlisted(_) => "name each by its number, as in `--rule 0`".into(),
            Self::Kernel { source, .. } if is_permission(source) => "run it as root (sudo)".into(),
            Self::Kernel { source, .. } => refusal::limit(source)
                .map_or_else(String::new, |limit| format!("{}; {}", limit.why, limit.remedy)),
            Self::Request(_) => String::new(),
            Self::Engine(error) => error.hint(),
            Self::TooLong { .. } => "give fewer of them, or shorter ones".into(),
            Self::Busy(_) => "see what it is then with `injector ps`, and try again".into(),
            Self::Unanswered { .. } => {
                "it may be stopped (Ctrl-Z); `injector ps` tells what the plan is now, `injector stop` ends it"
                    .into()
            }
            Self::Ended(_) => "`injector ps` lists what lives".into(),
            Self::Refused { hint, .. } => hint.clone(),
            Self::Unreadable { .. } => {
                "use the same version of injector for both; `injector ps` tells what the plan is now".into()
            }
        }
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::List { source } => {
                refusal::cause(source, Attempt::List).map_or(Blame::Other, |cause| cause.fault.into())
            }
            Self::Unknown(_)
            | Self::Ambiguous { .. }
            | Self::SameName { .. }
            | Self::NoRule { .. }
            | Self::Idle(_)
            | Self::Unlisted(_)
            | Self::TooLong { .. } => Blame::Usage,
            Self::Kernel { source, .. } if is_permission(source) => Blame::Permission,
            Self::Engine(error) => error.blame(),
            Self::Refused { blame, .. } => *blame,
            Self::Kernel { .. }
            | Self::Request(_)
            | Self::Busy(_)
            | Self::Unanswered { .. }
            | Self::Ended(_)
            | Self::Unreadable { .. } => Blame::Other,
        }
    }
}
