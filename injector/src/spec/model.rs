//! What was asked: the rules that the grammars yield. Pure data, resolved against the table of
//! system calls but not yet against a kernel. Every rule prints as text that parses back to itself.

use std::{collections::BTreeSet, fmt};

pub use crate::spec::trigger::{Scope, Trigger, When};
use crate::{
    spec::{
        effect::{Effect, Moment},
        filter::Filter,
        operation::OperationRule,
        packet::NetRule,
        user_space::UserSpaceRule,
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
        self.kind.calls()
    }

    /// Does it make calls or operations wait?
    pub fn delays_calls(&self) -> bool {
        match &self.kind {
            RuleKind::Syscall(rule) => rule.effect.delays(),
            RuleKind::Operation(rule) => rule.delay.is_some(),
            RuleKind::Net(_) | RuleKind::UserSpace(_) => false,
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
    /// What no program in the kernel does, but the injector's own process.
    UserSpace(UserSpaceRule),
}

impl RuleKind {
    /// The system calls that it names; none for a rule on packets or operations.
    pub fn calls(&self) -> impl Iterator<Item = Call> + '_ {
        let calls = match self {
            Self::Syscall(rule) => Some(&rule.calls),
            Self::Net(_) | Self::Operation(_) | Self::UserSpace(_) => None,
        };
        calls.into_iter().flatten().copied()
    }
}

impl fmt::Display for RuleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syscall(rule) => rule.fmt(f),
            Self::Net(rule) => rule.fmt(f),
            Self::Operation(rule) => rule.fmt(f),
            Self::UserSpace(rule) => rule.fmt(f),
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
