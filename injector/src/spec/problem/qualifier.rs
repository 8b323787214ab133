//! What can be wrong with the qualifier that a rule of `-e` begins with, each with its remedy.

use thiserror::Error;

use crate::spec::nearest::{Near, hint_or};

/// Why a text is no rule of a kind that there is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum QualifierProblem {
    #[error("`{0}=` chooses what strace prints, and injector prints no calls")]
    StraceOutput(String),
    #[error("it does not say what kind of rule it is")]
    NoQualifier { instead: Option<String> },
    #[error("`{word}` is not a qualifier")]
    UnknownQualifier { word: String, near: Option<Near> },
    #[error("`{0}=` begins a rule that is given to `-e`")]
    Qualified(String),
}

impl QualifierProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        const INJECT: &str = "write `inject=SET:error=ERRNO` for system calls, such as `inject=fsync:error=EIO`; other \
                              rules begin with `io=`, `net=` or `process=`";
        match self {
            Self::StraceOutput(_) => "use `--log FILE` for a line per injection".into(),
            Self::NoQualifier { instead: Some(instead) } => format!("write `{instead}`"),
            Self::NoQualifier { instead: None } => INJECT.into(),
            Self::UnknownQualifier { near, .. } => hint_or(near.as_ref(), INJECT),
            Self::Qualified(word) => format!("leave `{word}=` out, or give the whole rule to `-e`"),
        }
    }
}
