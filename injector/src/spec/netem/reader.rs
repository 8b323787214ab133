//! The words of a NETEM, one after the other.

use std::{iter::Peekable, vec};

use crate::spec::{error::Located, problem::WordProblem, word::Word};

/// Reads a NETEM word by word.
pub(super) struct Reader<'a>(Peekable<vec::IntoIter<Word<'a>>>);

impl<'a> Reader<'a> {
    pub(super) fn new(text: Word<'a>) -> Self {
        Self(text.words().collect::<Vec<_>>().into_iter().peekable())
    }

    /// The next word, whatever it is.
    pub(super) fn next(&mut self) -> Option<Word<'a>> {
        self.0.next()
    }

    /// The next word if it looks like a number: optional values of a word are told from the next word by that,
    /// as tc does it.
    pub(super) fn number(&mut self) -> Option<Word<'a>> {
        self.0.next_if(|word| looks_like_a_number(*word))
    }

    /// The next word if it is `name`.
    pub(super) fn exactly(&mut self, name: &str) -> Option<Word<'a>> {
        self.0.next_if(|word| word.text == name)
    }

    /// The next word as long as it passes.
    pub(super) fn next_if(&mut self, passes: impl Fn(&str) -> bool) -> Option<Word<'a>> {
        self.0.next_if(|word| passes(word.text))
    }

    /// The value of `name`, which has to be there.
    pub(super) fn value(&mut self, name: Word<'_>, example: &'static str) -> Result<Word<'a>, Located> {
        let missing = || name.problem(WordProblem::NoValue { word: name.text.into(), example });
        self.0.next().ok_or_else(missing)
    }
}

/// Does it begin like a number?
pub(super) fn looks_like_a_number(word: Word<'_>) -> bool {
    let text = word.text.trim_start_matches(['-', '+', '.']);
    text.starts_with(|first: char| first.is_ascii_digit())
}
