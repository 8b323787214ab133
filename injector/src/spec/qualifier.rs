//! The word that says of which kind a rule is, as strace's qualifiers do: needed behind `-e`, and left out behind the
//! options that take one kind of rules only.

use crate::spec::{error::Located, problem::QualifierProblem, word::Word};

/// What a rule behind `-e` begins with, before its first `=`.
pub(super) const QUALIFIERS: [&str; 5] = ["inject", "fault", "net", "io", "process"];

/// The text behind an option that takes one kind of rules.
pub(super) fn unqualified(text: &str) -> Result<Word<'_>, Located> {
    let whole = Word::whole(text);
    match whole.split_once("=") {
        Some((word, _)) if QUALIFIERS.contains(&word.text) => {
            Err(word.problem(QualifierProblem::Qualified(word.text.into())))
        }
        _ => Ok(whole),
    }
}
