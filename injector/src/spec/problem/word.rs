//! What can be wrong with a word whatever grammar it belongs to, each with its remedy.

use thiserror::Error;

/// Why a word cannot stand where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum WordProblem {
    #[error("`{word}` needs a value")]
    NoValue { word: String, example: &'static str },
    #[error("`{0}` is given twice")]
    Twice(String),
    #[error("`{second}` contradicts `{first}`")]
    Contradiction { first: String, second: String, remedy: String },
    #[error("`{0}` holds what separates the words of a rule")]
    Separator(String),
    #[error("the list `{list}` has an empty member")]
    Hole { list: String, example: &'static str },
}

impl WordProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoValue { example, .. } => format!("write it as in `{example}`"),
            Self::Twice(_) => "leave one of them out, or write two rules".into(),
            Self::Contradiction { remedy, .. } => remedy.clone(),
            Self::Separator(_) => {
                "add each word by a call of its own; in a pattern of paths write `\\:`".into()
            }
            Self::Hole { example, .. } => {
                format!("write the list without blanks and empty members, such as `{example}`")
            }
        }
    }
}
