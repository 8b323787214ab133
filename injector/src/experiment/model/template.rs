//! Text with names in it that have a value only while the experiment runs: `${address.etcd1}`, `${n}`, `${leader}`.
//!
//! Parameters are filled in when the file is read; what is left here are the built-in names and those that a `set` step
//! captures. `$${` stands for `${` itself.

use std::{fmt, ops::Range};

/// A text with names to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name { name: String, otherwise: Option<String> },
}

/// A name that has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`${{{0}}}` has no value here")]
pub struct Missing(pub String);

/// A stretch of a text, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Stands for itself, or (`$${`) for what is here.
    Text(&'a str),
    /// `${name}` or `${name:-otherwise}`.
    Name {
        /// The name.
        name: &'a str,
        /// What stands in its place if it has no value.
        otherwise: Option<&'a str>,
    },
}

/// The pieces of `text`, with the bytes where each is. A `${` without its `}` is text.
pub(crate) fn pieces(text: &str) -> Vec<(Range<usize>, Piece<'_>)> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while let Some(at) = text[start..].find("${").map(|at| start + at) {
        if text[..at].ends_with('$') && at > start {
            pieces.extend((at - 1 > start).then(|| (start..at - 1, Piece::Text(&text[start..at - 1]))));
            pieces.push((at - 1..at + 2, Piece::Text("${")));
            start = at + 2;
            continue;
        }
        let Some(length) = text[at..].find('}') else { break };
        let inside = &text[at + 2..at + length];
        let (name, otherwise) = match inside.split_once(":-") {
            Some((name, otherwise)) => (name, Some(otherwise)),
            None => (inside, None),
        };
        pieces.extend((at > start).then(|| (start..at, Piece::Text(&text[start..at]))));
        start = at + length + 1;
        pieces.push((at..start, Piece::Name { name: name.trim(), otherwise }));
    }
    pieces.extend((start < text.len()).then(|| (start..text.len(), Piece::Text(&text[start..]))));
    pieces
}

impl Template {
    /// Reads `text`. A `${` without its `}` is text.
    pub fn new(text: &str) -> Self {
        let mut this = Self { parts: Vec::new() };
        for (_, piece) in pieces(text) {
            match piece {
                Piece::Text(text) => this.push(text),
                Piece::Name { name, otherwise } => this
                    .parts
                    .push(Part::Name { name: name.to_owned(), otherwise: otherwise.map(str::to_owned) }),
            }
        }
        this
    }

    /// The same with the names for which there is a value filled in; `value` is told what stands behind a `:-` as well.
    /// The values are text, whatever is in them.
    #[must_use]
    pub fn with(self, mut value: impl FnMut(&str, Option<&str>) -> Option<String>) -> Self {
        let mut this = Self { parts: Vec::new() };
        for part in self.parts {
            match part {
                Part::Text(text) => this.push(&text),
                Part::Name { name, otherwise } => match value(&name, otherwise.as_deref()) {
                    Some(value) => this.push(&value),
                    None => this.parts.push(Part::Name { name, otherwise }),
                },
            }
        }
        this
    }

    fn push(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(before)) => before.push_str(text),
            _ if text.is_empty() => {}
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name { name, .. } => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with every name's value in its place.
    ///
    /// # Errors
    /// [`Missing`]: `value` knows no value of a name that has no default.
    pub fn fill(&self, value: impl Fn(&str) -> Option<String>) -> Result<String, Missing> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Name { name, otherwise } => match value(name).or_else(|| otherwise.clone()) {
                    Some(value) => text.push_str(&value),
                    None => return Err(Missing(name.clone())),
                },
            }
        }
        Ok(text)
    }
}

impl fmt::Display for Template {
    /// As the file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => f.write_str(&text.replace("${", "$${"))?,
                Part::Name { name, otherwise: None } => write!(f, "${{{name}}}")?,
                Part::Name { name, otherwise: Some(otherwise) } => write!(f, "${{{name}:-{otherwise}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Missing, Template};

    fn value(name: &str) -> Option<String> {
        (name == "n").then(|| "7".to_owned())
    }

    #[test]
    fn names_are_filled_in_and_a_doubled_dollar_stands_for_itself() {
        let filled = |text: &str| Template::new(text).fill(value);
        assert_eq!(filled("put k/${n} ${ n }").as_deref(), Ok("put k/7 7"));
        assert_eq!(filled("cost $5, $${n}, ${n").as_deref(), Ok("cost $5, ${n}, ${n"));
        assert_eq!(filled("${m:-none}").as_deref(), Ok("none"));
        assert_eq!(filled("${m}"), Err(Missing("m".to_owned())));
    }

    #[test]
    fn a_template_prints_as_it_was_read() {
        for text in ["a ${n} b", "$${n}", "${m:-x y}", "$", ""] {
            assert_eq!(Template::new(text).to_string(), text);
        }
    }
}
