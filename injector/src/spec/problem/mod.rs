//! The causes for which a rule's text is refused, in words, by what they are about. Each group has its remedies beside
//! it, in a match that leaves none out: a cause without one does not compile.

mod address;
mod call;
mod callset;
mod dns;
mod filter;
mod netem;
mod packet;
mod qualifier;
mod trigger;
mod value;
mod word;

use thiserror::Error;

pub use self::{
    address::{AddressPlace, AddressProblem},
    call::CallProblem,
    callset::CallSetProblem,
    dns::DnsProblem,
    filter::FilterProblem,
    netem::NetemProblem,
    packet::PacketProblem,
    qualifier::QualifierProblem,
    trigger::TriggerProblem,
    value::ValueProblem,
    word::WordProblem,
};
pub use crate::spec::{operation::OperationProblem, process::problem::ProcessProblem};

/// Why a text is no valid rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// What a rule of `-e` begins with.
    #[error(transparent)]
    Qualifier(#[from] QualifierProblem),
    /// The set of system calls.
    #[error(transparent)]
    CallSet(#[from] CallSetProblem),
    /// Which of the calls.
    #[error(transparent)]
    Filter(#[from] FilterProblem),
    /// What is to happen to calls.
    #[error(transparent)]
    Call(#[from] CallProblem),
    /// When a match becomes a fault.
    #[error(transparent)]
    Trigger(#[from] TriggerProblem),
    /// Errors, signals, return values and times.
    #[error(transparent)]
    Value(#[from] ValueProblem),
    /// Which packets.
    #[error(transparent)]
    Packet(#[from] PacketProblem),
    /// Addresses, host names and ports.
    #[error(transparent)]
    Address(#[from] AddressProblem),
    /// What is to happen to packets.
    #[error(transparent)]
    Netem(#[from] NetemProblem),
    /// Names that are asked for, and their answers.
    #[error(transparent)]
    Dns(#[from] DnsProblem),
    /// A word of whatever grammar.
    #[error(transparent)]
    Word(#[from] WordProblem),
    /// Operations.
    #[error(transparent)]
    Operation(#[from] OperationProblem),
    /// Processes.
    #[error(transparent)]
    Process(#[from] ProcessProblem),
}

impl Problem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Qualifier(problem) => problem.hint(),
            Self::CallSet(problem) => problem.hint(),
            Self::Filter(problem) => problem.hint(),
            Self::Call(problem) => problem.hint(),
            Self::Trigger(problem) => problem.hint(),
            Self::Value(problem) => problem.hint(),
            Self::Packet(problem) => problem.hint(),
            Self::Address(problem) => problem.hint(),
            Self::Netem(problem) => problem.hint(),
            Self::Dns(problem) => problem.hint(),
            Self::Word(problem) => problem.hint(),
            Self::Operation(problem) => problem.hint(),
            Self::Process(problem) => problem.hint(),
        }
    }
}
