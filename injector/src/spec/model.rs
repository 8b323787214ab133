//! What was asked: the rules that the three grammars yield. Pure data, resolved against the table of
//! system calls but not yet against a kernel. Every rule prints as text that parses back to itself.

use std::{collections::BTreeSet, fmt};

use crate::{
    spec::{
        effect::{Effect, Moment},
        filter::Filter,
        operation::OperationRule,
        packet::NetRule,
        units::Probability,
    },
    syscalls::Call,
};

/// One rule as the user gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The text that it came from, for messages and tables.
    pub text: String,
    /// What it means.
    pub kind: RuleKind,
}

impl Rule {
    /// The system calls that it names; none for a rule on packets or operations.
    pub fn calls(&self) -> impl Iterator<Item = Call> + '_ {
        let calls = match &self.kind {
            RuleKind::Syscall(rule) => Some(&rule.calls),
            RuleKind::Net(_) | RuleKind::Operation(_) => None,
        };
        calls.into_iter().flatten().copied()
    }

    /// Is somebody to wait?
    pub fn sleeps(&self) -> bool {
        match &self.kind {
            RuleKind::Syscall(rule) => rule.effect.delays(),
            RuleKind::Net(_) | RuleKind::Operation(_) => false,
        }
    }
}

/// The layer that a rule acts on, with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// System calls: `-e inject=`, `-e fault=`, `--syscall`.
    Syscall(SyscallRule),
    /// Packets: `--net`.
    Net(NetRule),
    /// Operations: `--io`.
    Operation(OperationRule),
}

impl fmt::Display for RuleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syscall(rule) => rule.fmt(f),
            Self::Net(rule) => rule.fmt(f),
            Self::Operation(rule) => rule.fmt(f),
        }
    }
}

/// System calls that meet something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyscallRule {
    /// The set of calls as it was written, such as `%file,!?open@32`.
    pub set: String,
    /// The calls of that set, over all ABIs of the machine; never empty.
    pub calls: BTreeSet<Call>,
    /// Those of `calls` that were named one by one (by name or number), in contrast to calls that a
    /// class, a pattern or a negation brought along.
    pub named: BTreeSet<Call>,
    /// Numbers that were written without an ABI. Each stands for the call of that number in every one, and these
    /// have nothing to do with each other.
    pub numbers: BTreeSet<u32>,
    /// Which of them by their arguments and the thread's name.
    pub filter: Filter,
    /// What happens.
    pub effect: Effect,
    /// Before the call or behind it.
    pub moment: Moment,
    /// Which of the calls that match.
    pub trigger: Trigger,
}

impl fmt::Display for SyscallRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}{}{}{}", self.set, self.effect, self.moment, self.filter, self.trigger)
    }
}

/// Which of the events that match a rule also fire. All parts have to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// By number, counted from 1.
    pub when: When,
    /// By chance.
    pub probability: Probability,
    /// At most this many in all; `None` for no limit, never 0.
    pub times: Option<u64>,
    /// Whose events are counted together.
    pub scope: Scope,
}

/// Whose matches `when=` and the draws count together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Each thread's and each call's by themselves, as in strace.
    #[default]
    Thread,
    /// Those of all threads of a process, for each call.
    Process,
    /// All of the rule.
    Rule,
}

impl Trigger {
    /// Every event fires.
    pub const ALWAYS: Self =
        Self { when: When::ALWAYS, probability: Probability::ALWAYS, times: None, scope: Scope::Thread };
}

impl fmt::Display for Trigger {
    /// Nothing for what is at its default, else `:name=value` each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.when != When::ALWAYS {
            write!(f, ":when={}", self.when)?;
        }
        if self.probability != Probability::ALWAYS {
            write!(f, ":prob={}", self.probability)?;
        }
        if let Some(times) = self.times {
            write!(f, ":times={times}")?;
        }
        match self.scope {
            Scope::Thread => Ok(()),
            Scope::Process => f.write_str(":scope=process"),
            Scope::Rule => f.write_str(":scope=rule"),
        }
    }
}

/// strace's `when=first..last+step`: the `first` match, then every `step`-th one up to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// The first match that fires, 1 to 65535.
    pub first: u32,
    /// The last match that may fire, `first` to 65535; `None` for no end.
    pub last: Option<u32>,
    /// The distance between matches that fire, 1 to 65535.
    pub step: u32,
}

impl When {
    /// Every match.
    pub const ALWAYS: Self = Self { first: 1, last: None, step: 1 };
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, step } = self;
        match last {
            Some(last) if last == first => return write!(f, "{first}"),
            Some(last) => write!(f, "{first}..{last}")?,
            None if *step == 1 => return write!(f, "{first}+"),
            None => write!(f, "{first}")?,
        }
        if *step == 1 { Ok(()) } else { write!(f, "+{step}") }
    }
}
