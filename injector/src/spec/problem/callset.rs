//! What can be wrong with a set of system calls, each with its remedy.

use thiserror::Error;

use crate::spec::nearest::{Near, hint_or, or};

/// Why a text names no system calls.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum CallSetProblem {
    #[error("no system call is named")]
    NoSet,
    #[error("`{word}` is not a system call")]
    UnknownCall { word: String, near: Option<Near> },
    #[error("`{word}` is not a class of system calls")]
    UnknownClass { word: String, near: Option<String> },
    #[error("`{word}` is not an ABI of this machine")]
    UnknownAbi { word: String, known: String },
    #[error("`{name}` exists, but not under the ABI `{abi}`")]
    NotInAbi { name: String, abi: String, others: String },
    #[error("no system call has the number {0}")]
    UnknownNumber(String),
    #[error("`{word}` stands for a whole set and cannot be one of a list")]
    WholeSet { word: String },
    #[error("the pattern `{pattern}` is not valid: {cause}")]
    Pattern { pattern: String, cause: String },
    #[error("no system call matches the pattern `{0}`")]
    NothingMatches(String),
    #[error("the kernel of this machine does not implement `{0}`")]
    NotImplemented(String),
    #[error("`{0}` is an empty set, so the rule can never match")]
    EmptySet(String),
}

impl CallSetProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoSet => "write `SET:error=ERRNO`, such as `fsync:error=EIO`".into(),
            Self::UnknownCall { near, .. } => {
                hint_or(near.as_ref(), "see syscalls(2); write `?NAME` for a name that may be unknown")
            }
            Self::UnknownClass { near, .. } => or(
                near.as_ref(),
                "strace(1) lists the classes: %file, %desc, %network, %process, %memory, %signal, %ipc, …",
            ),
            Self::UnknownAbi { known, .. } => format!("write {known}"),
            Self::NotInAbi { others, .. } => format!("it exists as {others}"),
            Self::UnknownNumber(_) => "name the call instead: numbers differ between machines".into(),
            Self::WholeSet { word } => format!("write `{word}` alone"),
            Self::Pattern { .. } => {
                "an extended regular expression follows the `/`; it cannot hold `,` or `:`, as in strace"
                    .into()
            }
            Self::NothingMatches(_) => {
                "a pattern matches anywhere in a name, as in `/^open`; write `?/PATTERN` for one that may match nothing"
                    .into()
            }
            Self::NotImplemented(_) => "leave it out: it returns ENOSYS by itself".into(),
            Self::EmptySet(_) => "name at least one call".into(),
        }
    }
}
