//! What can be wrong with a rule on operations, each with its remedy.

use injector_common::glob::{GlobError, STATES};
use thiserror::Error;

use crate::{
    operations::{Object, TABLE},
    spec::nearest::Near,
};

/// Why a text is no valid rule on operations.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum OperationProblem {
    #[error("no operation is named")]
    NoOperation,
    #[error("`{word}` is not an operation")]
    Unknown { word: String, near: Option<String> },
    #[error("`{word}` is a system call, and not the name of an operation")]
    Call { word: String, instead: String },
    #[error("it does not say what is to happen to `{0}`")]
    NoAction(String),
    #[error("`{word}` is not a word of a rule on operations")]
    UnknownWord { word: String, near: Option<Near> },
    #[error("`{0}` cannot be done at a security hook, which can only delay an operation or fail it")]
    NotAtHooks(String),
    #[error("`{word}` does not apply to `{operation}`, which {}", about(*.object))]
    Unsuited { word: String, operation: &'static str, object: Object },
    #[error("it is not a pattern: {}", cause(*.0))]
    Path(GlobError),
    #[error("no path can match: {why}")]
    NoPath { why: &'static str, instead: String },
    #[error("a bare `,` would be part of the path")]
    BareComma { instead: String },
    #[error("the patterns of one rule have more than {} characters altogether", STATES - 1)]
    PathsTooLong,
}

const fn about(object: Object) -> &'static str {
    match object {
        Object::Path => "is about a file, not a socket",
        Object::Connection => "is about a socket, not a path",
        Object::Endpoint => "is about a socket that has neither path nor known peer",
    }
}

const fn cause(error: GlobError) -> &'static str {
    match error {
        GlobError::Empty => "it is empty",
        GlobError::OpenClass => "a `[` has no `]`",
        GlobError::BackwardRange => "a range in `[…]` ends before it starts",
        GlobError::EmptyClass => "nothing can be in one of its `[…]`",
        GlobError::LoneEscape => "there is nothing behind its last `\\`",
        GlobError::TooLong => "it is too long",
    }
}

impl OperationProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        const SHAPE: &str = "write `OP:error=ERRNO`, such as `read:error=EIO:path=/var/lib/*.db`";
        let names = || TABLE.iter().map(|operation| operation.name).collect::<Vec<_>>().join(", ");
        match self {
            Self::NoOperation => SHAPE.into(),
            Self::Unknown { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::UnknownWord { near: Some(near), .. } => near.hint(),
            Self::Unknown { .. } => format!("the operations are {}", names()),
            Self::Call { instead, .. } => {
                format!("write `-e {instead}` for the call, or one of the operations: {}", names())
            }
            Self::NoAction(_) => "add `:error=ERRNO`, such as `:error=EIO`, or `:delay=20ms`".into(),
            Self::UnknownWord { .. } => {
                "the words are error=, delay=, distribution=, path=, peer=, port=, comm=, when=, prob=, times= and scope="
                    .into()
            }
            Self::NotAtHooks(_) => {
                "write `error=ERRNO` or `delay=TIME` here, or a rule on system calls".into()
            }
            Self::Unsuited { object, .. } => match object {
                Object::Path => "choose files by `path=`",
                Object::Connection => "choose sockets by `peer=` and `port=`",
                Object::Endpoint => "choose it by `port=`, its own port",
            }
            .into(),
            Self::NoPath { instead, .. } => instead.clone(),
            Self::BareComma { instead } => format!("give it twice: `{instead}`; `\\,` is the character itself"),
            Self::Path(GlobError::TooLong) | Self::PathsTooLong => "split them over several rules".into(),
            Self::Path(GlobError::OpenClass) => "close it, or write `\\[` for the character itself".into(),
            Self::Path(_) => "write a pattern such as `/var/lib/**/*.db`; a `\\` takes the meaning of a character away".into(),
        }
    }
}
