//! The text of the file by lines, and where in it a part of a value stands.

use std::ops::Range;

use crate::experiment::model::Place;

/// A file's text.
#[derive(Debug)]
pub(super) struct Source<'a> {
    lines: Vec<&'a str>,
}

/// What a problem is about: a stretch of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where it begins.
    pub place: Place,
    /// How long it is, characters.
    pub width: usize,
    /// The line.
    pub line: String,
    /// The value, and what is meant in it (bytes), where it is not in the line as it stands here.
    pub below: Option<(String, Range<usize>)>,
}

impl<'a> Source<'a> {
    /// Splits it into lines.
    pub(super) fn new(text: &'a str) -> Self {
        Self { lines: text.strip_prefix('\u{feff}').unwrap_or(text).lines().collect() }
    }

    fn line(&self, place: Place) -> &'a str {
        let index = (place.line as usize).saturating_sub(1);
        self.lines.get(index).copied().unwrap_or_default()
    }

    /// The word that begins here: up to a blank or what ends a value in YAML.
    pub(super) fn word(&self, place: Place) -> Mark {
        let rest = self.line(place).chars().skip((place.column as usize).saturating_sub(1));
        let mut rest = rest.peekable();
        if rest.peek().is_some_and(|c| matches!(c, '{' | '[')) {
            return self.mark(place, 1);
        }
        let quote = rest.next_if(|c| matches!(c, '"' | '\''));
        let ends = |c: &char| match quote {
            Some(quote) => *c == quote,
            None => c.is_whitespace() || matches!(c, ',' | ']' | '}' | ':'),
        };
        let inside = rest.take_while(|c| !ends(c)).count();
        let width = inside + if quote.is_some() { 2 } else { 0 };
        self.mark(place, width)
    }

    /// Has the line these words?
    pub(super) fn line_has(&self, place: Place, words: &str) -> bool {
        self.line(place).contains(words)
    }

    /// This stretch of a line.
    pub(super) fn mark(&self, place: Place, width: usize) -> Mark {
        Mark { place, width: width.max(1), line: self.line(place).to_owned(), below: None }
    }

    /// The part `span` of a value that begins at `place`; `None` if it does not stand in one line as the value has it.
    pub(super) fn inside(&self, place: Place, value: &str, span: &Range<usize>) -> Option<Mark> {
        let characters: Vec<char> =
            self.line(place).chars().skip((place.column as usize).saturating_sub(1)).collect();
        let quote = characters.first().copied().filter(|c| matches!(c, '"' | '\''));
        let mut at = usize::from(quote.is_some());
        let (mut start, mut end) = (None, None);
        for (offset, c) in value.char_indices() {
            start = start.or((offset >= span.start).then_some(at));
            end = end.or((offset >= span.end).then_some(at));
            at += width(&characters[at.min(characters.len())..], c, quote)?;
        }
        let (start, end) = (start.unwrap_or(at), end.unwrap_or(at));
        let column = place.column.saturating_add(u32::try_from(start).ok()?);
        Some(self.mark(Place { line: place.line, column }, end.saturating_sub(start)))
    }
}

/// How many characters of the file stand for `c`; `None` if what is there is something else.
fn width(rest: &[char], c: char, quote: Option<char>) -> Option<usize> {
    match (quote, rest) {
        (Some('\''), ['\'', '\'', ..]) if c == '\'' => Some(2),
        (Some('"'), ['\\', 'x', ..]) => Some(4),
        (Some('"'), ['\\', 'u', ..]) => Some(6),
        (Some('"'), ['\\', 'U', ..]) => Some(10),
        (Some('"'), ['\\', _, ..]) => Some(2),
        (_, [first, ..]) => (*first == c).then_some(1),
        (_, []) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Source;
    use crate::experiment::model::Place;

    #[test]
    fn a_part_of_a_value_is_found_in_its_line() {
        let marked = |line: &str, column, value: &str, part: &str| {
            let source = Source::new(line);
            let start = value.find(part).unwrap_or_default();
            let mark = source.inside(Place { line: 1, column }, value, &(start..start + part.len()))?;
            let start = mark.place.column as usize - 1;
            Some(line.chars().skip(start).take(mark.width).collect::<String>())
        };
        assert_eq!(marked("- a b c", 3, "a b c", "b").as_deref(), Some("b"));
        assert_eq!(marked("x: 'it''s wrong'", 4, "it's wrong", "wrong").as_deref(), Some("wrong"));
        assert_eq!(marked(r#"x: "a\tb \u00e9 c""#, 4, "a\tb é c", "é c").as_deref(), Some(r"\u00e9 c"));
        assert_eq!(marked("x: >-", 4, "folded text", "text"), None);
        assert_eq!(marked("x: two", 4, "two lines", "lines"), None);
    }
}
