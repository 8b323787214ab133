//! What can be wrong with a rule's text: the problem, where it is, and what to do about it.

use std::{fmt, ops::Range};

pub use super::problem::Problem;

/// A text that is no valid rule. Its message names the text and the cause; [`SpecError::hint`] says what
/// to do, [`SpecError::caret`] shows the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object} `{text}`: {}", .located.problem)]
pub struct SpecError {
    /// What the text was meant to be: "rule", "duration".
    object: &'static str,
    /// The whole text.
    text: String,
    located: Box<Located>,
}

impl SpecError {
    pub(super) fn new(object: &'static str, text: &str, located: Located) -> Self {
        Self { object, text: text.to_owned(), located: Box::new(located) }
    }

    /// The text that was refused.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The part of the text that is to blame, in bytes.
    pub fn span(&self) -> Range<usize> {
        self.located.span.clone()
    }

    /// The cause.
    pub const fn problem(&self) -> &Problem {
        &self.located.problem
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        self.located.problem.hint()
    }

    /// Two lines: the text, and marks below the part that is to blame.
    pub fn caret(&self) -> Caret<'_> {
        Caret(self)
    }
}

/// Prints [`SpecError::caret`].
#[derive(Debug)]
pub struct Caret<'a>(&'a SpecError);

impl fmt::Display for Caret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SpecError { text, located, .. } = self.0;
        let span = &located.span;
        let shown =
            |part: &str| part.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let before = text.get(..span.start).map_or(0, |part| part.chars().count());
        let marks = text.get(span.clone()).map_or(0, |part| part.chars().count()).max(1);
        writeln!(f, "{}", shown(text))?;
        write!(f, "{}{}", " ".repeat(before), "^".repeat(marks))
    }
}

/// A problem and its place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) problem: Problem,
    pub(super) span: Range<usize>,
}
