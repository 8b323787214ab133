//! What can be wrong with names that are asked for and the answers to them, each with its remedy.

use injector_common::name::FRONTS;
use thiserror::Error;

use crate::spec::nearest::or;

/// Why a text is no name or no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum DnsProblem {
    #[error("`{word}` is not an answer to a question for a name")]
    UnknownDns { word: String, near: Option<String> },
    #[error("`{0}` is not a name")]
    NoName(String),
    #[error("a host name cannot contain `{0}`")]
    NameLetter(char),
    #[error("the name is too long")]
    NameTooLong,
    #[error("`{0}` has more than one `*`")]
    NameStars(String),
    #[error("more than {FRONTS} names have something in front of their `*`, and one rule holds no more")]
    NameFronts,
}

impl DnsProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownDns { near, .. } => {
                or(near.as_ref(), "the answers are nxdomain, servfail, refused and timeout")
            }
            Self::NoName(name) if name.len() > 1 && name.starts_with('.') => {
                format!("write `*{name}` for all names under it")
            }
            Self::NoName(_) => {
                "write names such as `db.internal`, or patterns such as `*.example.com`".into()
            }
            Self::NameLetter('/') => "write the name alone, without a path or a network".into(),
            Self::NameLetter('?' | '[' | ']' | '!' | '{' | '}') => {
                "only `*` stands for other letters, once in a name: list several names with commas".into()
            }
            Self::NameLetter(letter) if letter.is_ascii() => {
                "a name has letters, digits, `-` and `_`; a `*` stands for any others".into()
            }
            Self::NameLetter(_) => "write the name as it is asked for, as in `xn--bcher-kva.example`".into(),
            Self::NameTooLong => "a label has at most 63 letters, a name at most 253".into(),
            Self::NameStars(_) => {
                "write one, as in `*.example.com` or `db-*.internal`; it stands for dots, too".into()
            }
            Self::NameFronts => "write a second `--net` with the rest".into(),
        }
    }
}
