//! All that is wrong with a file, printed as compilers do: place, message, line, mark, hint.

use std::{fmt, io, path::PathBuf};

use crate::{
    experiment::file::{cause::Cause, source::Mark},
    printable::Printable,
};

/// A file that is no experiment.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It can, and is wrong.
    #[error("{}", joined(.0))]
    Wrong(Vec<Problem>),
}

impl FileError {
    /// What to do about the first of the problems.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { .. } => "name a file that is there and may be read".to_owned(),
            Self::Wrong(problems) => problems.first().map(Problem::hint).unwrap_or_default(),
        }
    }

    /// What is wrong with its content.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Unreadable { .. } => &[],
            Self::Wrong(problems) => problems,
        }
    }
}

fn joined(problems: &[Problem]) -> String {
    let texts: Vec<_> =
        problems.iter().map(|problem| format!("{problem}\nhint: {}", problem.hint())).collect();
    texts.join("\n\n")
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name, as it was given.
    pub file: String,
    /// What is meant.
    pub mark: Mark,
    /// What is wrong with it.
    pub cause: Cause,
    /// Values of secret parameters, which are not printed.
    pub(super) secrets: Vec<String>,
}

impl Problem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        self.without_secrets(self.cause.hint())
    }

    /// In one line, without the place.
    pub fn message(&self) -> String {
        self.without_secrets(self.cause.to_string())
    }

    fn without_secrets(&self, mut text: String) -> String {
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "***");
        }
        text
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark { place, width, line, below } = &self.mark;
        let (file, message) = (Printable(&self.file), self.message());
        writeln!(f, "{file}:{}:{}: {}", place.line, place.column, Printable(&message))?;
        marked(f, line, (place.column as usize).saturating_sub(1), *width)?;
        if let Some((value, span)) =
            below.as_ref().filter(|(value, _)| self.without_secrets(value.clone()) == *value)
        {
            let characters = |text: Option<&str>| text.map_or(0, |text| text.chars().count());
            writeln!(f, "\nwhich is read as")?;
            marked(f, value, characters(value.get(..span.start)), characters(value.get(span.clone())))?;
        }
        Ok(())
    }
}

/// More of a line is not shown on either side of the mark, characters.
const AROUND: usize = 80;

/// The line, and marks below a part of it. A long line is cut.
fn marked(f: &mut fmt::Formatter<'_>, line: &str, start: usize, width: usize) -> fmt::Result {
    let from = start.saturating_sub(AROUND);
    let width = width.clamp(1, AROUND);
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    let mut rest = line.chars().skip(from);
    let text: String = rest.by_ref().take(start - from + width + AROUND).map(shown).collect();
    let (before, after) = (if from > 0 { "…" } else { "" }, if rest.next().is_some() { "…" } else { "" });
    writeln!(f, "  {before}{text}{after}")?;
    write!(f, "  {}{}", " ".repeat(start - from + before.chars().count()), "^".repeat(width))
}
