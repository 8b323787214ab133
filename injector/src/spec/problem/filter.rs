//! What can be wrong with what is asked of calls: their arguments and the thread's name, each with its remedy.

use thiserror::Error;

use crate::spec::nearest::{Near, hint_or};

/// Why a text chooses no calls.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum FilterProblem {
    #[error("there is no argument before the comparison")]
    NoArgument,
    #[error("`{0}` has no comparison")]
    NoRelation(String),
    #[error("`==` is not a comparison")]
    DoubledEquals { instead: String },
    #[error("`{0}` has two tests")]
    TwoTests(String),
    #[error("nothing follows the comparison")]
    NoOperand,
    #[error("`{0}` is not a number of at most 64 bits")]
    Operand(String),
    #[error("`{word}` is not a constant that this version knows")]
    UnknownConstant { word: String, near: Option<Near> },
    #[error("`{0}` asks for bits outside of its mask, so it can never hold")]
    OutsideMask(String),
    #[error("`{0}` asks for no bit, so it can never hold")]
    NoBits(String),
    #[error("one rule can hold {0} tests at most")]
    TooManyTests(usize),
    #[error("{call} has no argument that `{test}` could be about")]
    NoSuchArgument { call: String, test: String, arguments: String },
    #[error("no call of `{set}` has an argument that `{test}` could be about")]
    NobodyHasArgument { set: String, test: String },
    #[error("`{call}` takes neither a path nor a descriptor, so `{word}` can never match")]
    AboutNothing { word: String, call: String },
    #[error("`{0}` is not a name that a thread can have")]
    Comm(String),
}

impl FilterProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        const PREDICATE: &str =
            "write `count>4096`, `flags&O_CREAT` or `arg0=3`; the comparisons are = != < <= > >= and &";
        match self {
            Self::NoArgument | Self::NoRelation(_) | Self::NoOperand | Self::NoBits(_) => PREDICATE.into(),
            Self::DoubledEquals { instead } => format!("write a single `=`, as in `{instead}`"),
            Self::TwoTests(_) => {
                "write `:` between tests that all have to hold, as in `fd>2:count<9`, or a rule for each"
                    .into()
            }
            Self::Operand(_) => {
                "write a decimal number, a hexadecimal one after `0x`, or the name of a constant".into()
            }
            Self::UnknownConstant { near, .. } => hint_or(near.as_ref(), "write its number"),
            Self::OutsideMask(_) => "leave those bits out, or add them to the mask".into(),
            Self::TooManyTests(_) => "write a rule for each case".into(),
            Self::NoSuchArgument { arguments, .. } if arguments.is_empty() => "it takes none".into(),
            Self::NoSuchArgument { arguments, .. } => format!("its arguments are {arguments}"),
            Self::NobodyHasArgument { .. } => {
                "syscalls(2) tells what a call takes; `arg0` is the first".into()
            }
            Self::AboutNothing { .. } => {
                "choose it by its arguments, such as `arg0=3`; see syscalls(2) for what a call takes".into()
            }
            Self::Comm(_) => {
                "write up to 15 bytes, such as `comm=redis-server`, or a beginning, such as `comm=redis*`"
                    .into()
            }
        }
    }
}
