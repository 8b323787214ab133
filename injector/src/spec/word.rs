//! A piece of the user's text that knows where it stands in it, so that every error can point at it.

use std::{ops::Range, str::FromStr};

use crate::spec::{
    error::{Located, Problem},
    problem::WordProblem,
};

/// A slice of a rule's text and the byte offset at which it starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    start: usize,
}

impl<'a> Word<'a> {
    /// The whole text of a rule.
    pub(super) const fn whole(text: &'a str) -> Self {
        Self { text, start: 0 }
    }

    /// Its place in the rule's text.
    pub(super) const fn span(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// The empty word at its start.
    pub(super) const fn until_start(self) -> Self {
        Self { text: "", start: self.start }
    }

    /// An error about this word.
    pub(super) fn problem(self, problem: impl Into<Problem>) -> Located {
        Located { problem: problem.into(), span: self.span() }
    }

    /// A part of it; both ends have to lie between characters.
    fn slice(self, range: Range<usize>) -> Self {
        Self { text: &self.text[range.clone()], start: self.start + range.start }
    }

    /// The part of it that begins with `first` and ends with `last`, both words of it.
    pub(super) fn between(self, first: Self, last: Self) -> Self {
        self.slice(first.start - self.start..last.span().end - self.start)
    }

    /// What stands before and from `at`, which has to lie between characters.
    pub(super) fn split_at(self, at: usize) -> (Self, Self) {
        (self.slice(0..at), self.slice(at..self.text.len()))
    }

    /// What stands before and after the first `separator`.
    pub(super) fn split_once(self, separator: &str) -> Option<(Self, Self)> {
        self.text.find(separator).map(|at| self.cut(at, separator))
    }

    /// What stands before and after the last `separator`.
    pub(super) fn rsplit_once(self, separator: &str) -> Option<(Self, Self)> {
        self.text.rfind(separator).map(|at| self.cut(at, separator))
    }

    fn cut(self, at: usize, separator: &str) -> (Self, Self) {
        (self.slice(0..at), self.slice(at + separator.len()..self.text.len()))
    }

    /// The pieces between `separator`s, without the empty ones, as `strtok` in strace yields them.
    pub(super) fn pieces(self, separator: char) -> impl Iterator<Item = Self> {
        self.tokens(move |c| c == separator)
    }

    /// The pieces between commas, none of which is empty. `example` is how such a list looks.
    pub(super) fn whole_pieces(self, example: &'static str) -> Result<impl Iterator<Item = Self>, Located> {
        if self.text.split(',').any(str::is_empty) {
            return Err(self.problem(WordProblem::Hole { list: self.text.into(), example }));
        }
        Ok(self.pieces(','))
    }

    /// The pieces between colons, without the empty ones. A `:` behind a `\` or between `[` and `]` is part
    /// of its piece.
    pub(super) fn guarded_pieces(self) -> impl Iterator<Item = Self> {
        let (mut escaped, mut bracketed) = (false, false);
        let mut ends = Vec::new();
        for (at, byte) in self.text.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'[' => bracketed = true,
                b']' => bracketed = false,
                b':' if !bracketed => ends.push(at),
                _ => {}
            }
        }
        ends.push(self.text.len());
        let mut start = 0;
        ends.into_iter().filter_map(move |end| {
            let piece = self.slice(start..end);
            start = end + 1;
            (!piece.text.is_empty()).then_some(piece)
        })
    }

    /// The pieces between white space.
    pub(super) fn words(self) -> impl Iterator<Item = Self> {
        self.tokens(char::is_whitespace)
    }

    fn tokens(self, separates: impl Fn(char) -> bool) -> impl Iterator<Item = Self> {
        let mut rest = self;
        std::iter::from_fn(move || {
            rest = rest.trim_start_matches(&separates);
            let end = rest.text.find(&separates).unwrap_or(rest.text.len());
            let token = rest.slice(0..end);
            rest = rest.slice(end..rest.text.len());
            (!token.text.is_empty()).then_some(token)
        })
    }

    /// Without the leading characters for which `skip` holds.
    pub(super) fn trim_start_matches(self, skip: impl Fn(char) -> bool) -> Self {
        let kept = self.text.trim_start_matches(skip).len();
        self.slice(self.text.len() - kept..self.text.len())
    }

    /// Without white space at either end.
    pub(super) fn trim(self) -> Self {
        let left = self.trim_start_matches(char::is_whitespace);
        left.slice(0..left.text.trim_end().len())
    }

    /// What follows `prefix`, if the word starts with it.
    pub(super) fn strip_prefix(self, prefix: &str) -> Option<Self> {
        self.text.starts_with(prefix).then(|| self.slice(prefix.len()..self.text.len()))
    }

    /// The number that its decimal digits give; `None` if there is anything but digits or it is too large.
    pub(super) fn decimal<T: FromStr>(self) -> Option<T> {
        let digits = !self.text.is_empty() && self.text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { self.text.parse().ok() } else { None }
    }
}

/// Notes what may be given once only.
pub(super) fn once<T>(slot: &mut Option<T>, value: T, word: Word<'_>) -> Result<(), Located> {
    if slot.replace(value).is_some() {
        let name = word.split_once("=").map_or(word, |(name, _)| name);
        return Err(word.problem(WordProblem::Twice(format!("{}=", name.text))));
    }
    Ok(())
}
