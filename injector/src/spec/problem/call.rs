//! What can be wrong with what is to happen to system calls, each with its remedy.

use thiserror::Error;

use crate::spec::nearest::{Near, hint_or};

/// Why a text does not say what is to happen to calls.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum CallProblem {
    #[error("it does not say what is to happen to `{0}`")]
    NoAction(String),
    #[error("`{word}` is not a word of a rule")]
    UnknownWord { word: String, near: Option<Near> },
    #[error(
        "`syscall=` runs another call in place of the one that was made, which cannot be done from inside the kernel"
    )]
    OtherCall,
    #[error("`{0}` does not belong to `fault=`, which knows errors only")]
    NotAFault(String),
    #[error("`{0}` writes into the memory of the caller, which no kernel under lockdown allows")]
    Poke(String),
    #[error("`{0}` is not a moment of a call")]
    UnknownMoment(String),
    #[error("`{0}` is not an outcome of a call")]
    UnknownOutcome(String),
}

impl CallProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoAction(_) => "add `:error=ERRNO`, `:retval=N` or `:signal=SIGNAL`".into(),
            Self::Poke(_) => "write `error=ERRNO` for what the caller is to see".into(),
            Self::UnknownMoment(_) => "write `at=entry` or `at=exit`".into(),
            Self::UnknownOutcome(_) => "write `on=success` or `on=failure`".into(),
            Self::UnknownWord { near, .. } => hint_or(
                near.as_ref(),
                "the words are error=, retval=, signal=, delay_enter=, delay_exit=, distribution=, at=, on=, fd=, comm=, path=, peer=, port=, when=, prob=, times=, scope= and the names of arguments",
            ),
            Self::OtherCall => "write `retval=N` for the value that the caller is to see".into(),
            Self::NotAFault(_) => "write `inject=` instead of `fault=`".into(),
        }
    }
}
