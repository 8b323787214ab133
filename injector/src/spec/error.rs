//! What can be wrong with a rule's text: the problem, where it is, and what to do about it.

use std::{fmt, ops::Range};

pub use crate::spec::problem::Problem;
use crate::{
    printable::without_middle,
    spec::problem::{AddressPlace, AddressProblem},
};

/// A text that is no valid rule. Its message names the text and the cause; [`SpecError::hint`] says what
/// to do, [`SpecError::caret`] shows the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object} `{}`: {}", excerpt(text, &.located.span).0, abridged(&.located.problem.to_string()))]
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
        abridged(&self.located.problem.hint())
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
        let (text, span) = excerpt(text, &located.span);
        let shown =
            |part: &str| part.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let before = text.get(..span.start).map_or(0, |part| part.chars().count());
        let marks = text.get(span.clone()).map_or(0, |part| part.chars().count()).max(1);
        writeln!(f, "{}", shown(&text))?;
        write!(f, "{}{}", " ".repeat(before), "^".repeat(marks))
    }
}

/// Longer texts are cut, bytes.
const LONGEST: usize = 400;
/// What is left of them on either side of what matters, bytes.
const AROUND: usize = 60;

/// The text around `span`, if it is long, and where the span is in that.
fn excerpt(text: &str, span: &Range<usize>) -> (String, Range<usize>) {
    if text.len() <= LONGEST {
        return (text.to_owned(), span.clone());
    }
    let (Some(before), Some(inside), Some(after)) =
        (text.get(..span.start), text.get(span.clone()), text.get(span.end..))
    else {
        return (abridged(text), 0..0);
    };
    let mut shown = String::new();
    let from = before.ceil_char_boundary(before.len().saturating_sub(AROUND));
    shown.extend((from > 0).then_some('…'));
    shown.push_str(&before[from..]);
    let start = shown.len();
    shown.push_str(&abridged(inside));
    let end = shown.len();
    let to = after.floor_char_boundary(AROUND);
    shown.push_str(&after[..to]);
    shown.extend((to < after.len()).then_some('…'));
    (shown, start..end)
}

/// A message without the middle, if it is too long.
fn abridged(message: &str) -> String {
    without_middle(message, LONGEST + 2 * AROUND, AROUND)
}

/// A problem and its place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) problem: Problem,
    pub(super) span: Range<usize>,
}

impl Located {
    /// The same about an address at `place`.
    pub(super) fn at(mut self, here: AddressPlace) -> Self {
        if let Problem::Address(AddressProblem::AddressWithPort { place, .. }) = &mut self.problem {
            *place = here;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_around_the_mark() {
        let text = format!("{}bad{}", "a".repeat(50_000), "ö".repeat(50_000));
        let (shown, span) = excerpt(&text, &(50_000..50_003));
        assert_eq!(&shown[span], "bad");
        assert!(shown.len() < 300 && shown.starts_with('…') && shown.ends_with('…'), "{shown}");
        let (shown, span) = excerpt(&text, &(0..text.len()));
        assert!(shown.len() < 300 && span == (0..shown.len()), "{shown}");
        assert_eq!(excerpt("short", &(1..2)), ("short".into(), 1..2));
    }
}
