//! Why a set of rules cannot become a plan on this kernel.

use std::time::Duration;

use injector_common::{
    MAX_RULES, RULE_NUMBERS, address_set::MAX_ELEMENTS, delay::MAX_TABLES, name::MAX_NAMES,
    sleep::SHORTEST_NS, thread::MAX_SLOTS,
};

use crate::{
    distribution::DistributionError,
    plan::{
        backend::BackendKind,
        instead::Instead,
        unsupported::{Fault, Unsupported},
    },
};

/// Refused before anything is attached.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Nothing to do.
    #[error("there is no rule, so there is nothing to inject")]
    NoRules,
    /// More rules than a plan holds.
    #[error("{given} rules were given, and a plan holds {MAX_RULES}")]
    TooManyRules {
        /// How many.
        given: usize,
    },
    /// A call that no rule may touch.
    #[error("the rule `{rule}` names {call}, which is never made to fail: {why}")]
    Never {
        /// The rule.
        rule: String,
        /// The call.
        call: &'static str,
        /// The reason.
        why: &'static str,
    },
    /// A call that is touched only with `--unsafe`.
    #[error("the rule `{rule}` names {call}, whose failure is dangerous: {why}")]
    Dangerous {
        /// The rule.
        rule: String,
        /// The call.
        call: &'static str,
        /// The reason.
        why: &'static str,
    },
    /// What no kernel can do: the object is known at the call's security hook only.
    #[error(
        "the rule `{rule}` asks which file or peer {call} is about, which is known at its security hook only: {why}"
    )]
    AtHookOnly {
        /// The rule.
        rule: String,
        /// The call.
        call: &'static str,
        /// What cannot be done there.
        why: &'static str,
    },
    /// This kernel has no way to do it.
    #[error("this kernel cannot make {call} do what the rule `{rule}` asks for:{}", reasons(.causes))]
    Kernel {
        /// The rule.
        rule: String,
        /// The call that was named, or a few words on the set.
        call: String,
        /// What each backend says.
        causes: Vec<Unsupported>,
        /// What it can do instead.
        instead: Option<Box<Instead>>,
    },
    /// All that the set named was left out.
    #[error("the rule `{rule}` can never match: no call of its set can be made to fail ({left_out})")]
    NothingLeft {
        /// The rule.
        rule: String,
        /// What was left out, and why.
        left_out: String,
    },
    /// This kernel has no way to fail an operation so.
    #[error("this kernel cannot make {operation} do what the rule `{rule}` asks for: {cause}")]
    Operation {
        /// The rule.
        rule: String,
        /// The operation.
        operation: &'static str,
        /// Why not.
        cause: Unsupported,
        /// What it can do instead.
        instead: Option<Box<Instead>>,
    },
    /// Who waits would have others wait.
    #[error(
        "the rule `{rule}` delays {operation}, and while a thread waits there it holds {held}: others would wait as \
         well, whoever they are"
    )]
    Locked {
        /// The rule.
        rule: String,
        /// The operation.
        operation: &'static str,
        /// What for.
        held: &'static str,
    },
    /// A delay beyond the cap.
    #[error(
        "the rule `{rule}` delays calls by up to {}, and the longest delay allowed is {}",
        humantime::format_duration(*.latest),
        humantime::format_duration(*.longest)
    )]
    DelayTooLong {
        /// The rule.
        rule: String,
        /// The longest that it can come to.
        latest: Duration,
        /// The cap.
        longest: Duration,
    },
    /// A delay that is over before a thread is asleep.
    #[error(
        "the rule `{rule}` delays calls for less than {} us, which is too short: a thread takes that long to fall \
         asleep and wake up",
        SHORTEST_NS / 1000
    )]
    DelayTooShort {
        /// The rule.
        rule: String,
    },
    /// A delay that would have to be decided before it is known whether the rule fires.
    #[error(
        "the rule `{rule}` delays calls and acts when they have run (at=exit, on=): by then nothing can make the \
         caller wait"
    )]
    DelayBehind {
        /// The rule.
        rule: String,
    },
    /// Something that packets cannot meet yet.
    #[error("the rule `{rule}` asks for `{word}`, and {why}")]
    Impairment {
        /// The rule.
        rule: String,
        /// netem's word.
        word: &'static str,
        /// The reason.
        why: &'static str,
        /// What can be had.
        instead: &'static str,
    },
    /// A delay that is longer than allowed.
    #[error(
        "the rule `{rule}` delays packets by up to {latest:?}, and the longest delay allowed is {longest:?}"
    )]
    TooLate {
        /// The rule.
        rule: String,
        /// The longest that it can come to.
        latest: Duration,
        /// What is allowed.
        longest: Duration,
    },
    /// A file that is no distribution.
    #[error("the rule `{rule}` needs a distribution: {source}")]
    Distribution {
        /// The rule.
        rule: String,
        /// What is wrong with the file.
        source: DistributionError,
    },
    /// More distributions than a plan holds.
    #[error("the rule `{rule}` needs one distribution more than the {MAX_TABLES} that a plan holds")]
    TooManyDistributions {
        /// The rule.
        rule: String,
    },
    /// More rules times calls than a thread's state holds.
    #[error("the rules name {slots} calls and operations altogether, and a plan holds {MAX_SLOTS}")]
    TooManySlots {
        /// How many.
        slots: usize,
    },
    /// More rules times calls than the live plan was made for.
    #[error("the rules name {slots} calls altogether, and the live plan was made with room for {room}")]
    NoRoom {
        /// How many.
        slots: usize,
        /// How many would fit.
        room: u32,
    },
    /// A rule that needs what the programs of the live plan were loaded without.
    #[error("the rule `{rule}` needs what the programs of the live plan were loaded without")]
    NotLoaded {
        /// The rule.
        rule: String,
    },
    /// A plan that was changed too often.
    #[error(
        "the live plan has had all the {RULE_NUMBERS} rules that a plan can have in the course of its changes"
    )]
    NoNumbers,
    /// A rule that goes on would have to be decided elsewhere, and for a moment nowhere or twice.
    #[error(
        "the rule `{rule}` goes on and acts on {call} by {from}, and with the new rules {call} would need {to}, \
         which cannot be exchanged while it acts"
    )]
    Switch {
        /// The rule that goes on.
        rule: String,
        /// The call.
        call: String,
        /// The backend that it has.
        from: BackendKind,
        /// The backend that the rules need together.
        to: BackendKind,
    },
    /// A rule that goes on would no longer act on all its calls.
    #[error("the rule `{rule}` goes on, and with the new rules this kernel could no longer make {call} fail")]
    Loses {
        /// The rule that goes on.
        rule: String,
        /// The call.
        call: String,
    },
    /// More networks and ports than the kernel side holds.
    #[error(
        "the rules list {given} networks, addresses and blocks of ports altogether, and a plan holds {MAX_ELEMENTS}"
    )]
    TooManyElements {
        /// How many.
        given: usize,
    },
    /// More names than the kernel side holds.
    #[error("the rules list {given} names altogether, and a plan holds {MAX_NAMES}")]
    TooManyNames {
        /// How many.
        given: usize,
    },
}

fn reasons(causes: &[Unsupported]) -> String {
    Unsupported::list(causes).iter().fold(String::new(), |text, cause| text + "\n  " + cause)
}

impl PlanError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoRules => "add a rule, such as `-e inject=fsync:error=EIO` or `--net 'loss 10%'`".into(),
            Self::TooManyRules { .. } => "start a second injector on the same target for the others".into(),
            Self::Never { .. } => "leave it out; a class or a pattern does so by itself".into(),
            Self::Dangerous { .. } | Self::Locked { .. } => "add --unsafe if that is what you want".into(),
            Self::AtHookOnly { .. } => {
                "leave out `path=`, `peer=` and `port=`, choose by arguments such as `fd=3`, \
                or fail the call with an errno before it runs"
                    .into()
            }
            Self::Kernel { causes, instead, .. } => {
                let Some(cause) = decisive(causes) else { return String::new() };
                or_instead(cause, instead.as_deref())
            }
            Self::Operation { cause, instead, .. } => or_instead(cause, instead.as_deref()),
            Self::NothingLeft { .. } => "see `injector doctor` for what this kernel allows".into(),
            Self::DelayTooLong { latest, .. } => format!(
                "shorten it, or allow it with --max-call-delay {}s; normal, pareto and files reach four jitters beyond the \
                 middle",
                latest.as_nanos().div_ceil(1_000_000_000)
            ),
            Self::DelayTooShort { .. } => {
                "make it longer; a delay without a unit is in microseconds, as in strace".into()
            }
            Self::DelayBehind { .. } => {
                "leave at= and on= out: delay_exit= delays a call that has run, whatever came of it".into()
            }
            Self::Impairment { instead, .. } => (*instead).into(),
            Self::TooLate { latest, .. } => {
                format!("allow it with --max-packet-delay {}s, or ask for less", latest.as_secs() + 1)
            }
            Self::Distribution { source, .. } => source.hint().into(),
            Self::TooManyDistributions { .. } => "split the rules over two injectors".into(),
            Self::TooManySlots { .. } => "name fewer calls, or split the rules over two injectors".into(),
            Self::NoRoom { .. } | Self::NoNumbers => {
                "end it and start it anew with all the rules, or start a second injector for the new ones"
                    .into()
            }
            Self::NotLoaded { .. } => {
                "attach a second injector for it, or start the plan anew, with such a rule or prepared for it by \
                 `--prepare` (docs/live.md)"
                    .into()
            }
            Self::Switch { .. } | Self::Loses { .. } => {
                "leave that rule out of the change, or start a second injector for the new ones".into()
            }
            Self::TooManyElements { .. } => {
                "join neighbours into networks and ranges, or split the rules over two injectors".into()
            }
            Self::TooManyNames { .. } => {
                "write `*.example.com` for the names under it, or split the rules over two injectors".into()
            }
        }
    }

    /// What this kernel can do instead, with the text of the rule in whose place it is.
    pub fn instead(&self) -> Option<(&str, &Instead)> {
        let (rule, instead, cause) = match self {
            Self::Kernel { rule, instead, causes, .. } => (rule, instead, decisive(causes)?),
            Self::Operation { rule, instead, cause, .. } => (rule, instead, cause),
            _ => return None,
        };
        let instead = instead.as_deref().filter(|_| cause.fault == Fault::Kernel)?;
        Some((rule, instead))
    }

    /// Whose fault it is, if it is not that of the rules.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Kernel { causes, .. } => Some(decisive(causes).map_or(Fault::Kernel, |cause| cause.fault)),
            Self::Operation { cause, .. } => Some(cause.fault),
            _ => None,
        }
    }
}

/// What helps where `cause` is in the way: what can be had instead, if it is the kernel's, or what would bring it.
fn or_instead(cause: &Unsupported, instead: Option<&Instead>) -> String {
    match instead.filter(|_| cause.fault == Fault::Kernel) {
        Some(instead) if cause.remedy.is_empty() => instead.to_string(),
        Some(instead) => format!("{instead}; or {}", cause.remedy),
        None => cause.remedy.clone(),
    }
}

/// Of several causes the one that can be helped most easily: a right, then a limit, then the kernel.
fn decisive(causes: &[Unsupported]) -> Option<&Unsupported> {
    let by = |fault| causes.iter().find(move |cause| cause.fault == fault);
    by(Fault::Right).or_else(|| by(Fault::Machine)).or(causes.first())
}
