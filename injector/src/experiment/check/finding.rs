//! What a check finds: a place of the file, and what is to say of it.

use crate::experiment::{file::Cause, model::Place};

/// Something that the file's reader could not see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What.
    pub cause: Cause,
    /// Whether the experiment makes no sense like that, or may be meant so.
    pub severity: Severity,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It may be meant so.
    Warning,
    /// The experiment is not run.
    Problem,
}

/// All that is found.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn problem(&mut self, place: Place, cause: Cause) {
        self.0.push(Finding { place, cause, severity: Severity::Problem });
    }

    /// A sentence and what to do about it.
    pub(super) fn senseless(&mut self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        self.problem(place, Cause::Senseless { message: message.into(), hint: hint.into() });
    }

    pub(super) fn warning(&mut self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        let cause = Cause::Senseless { message: message.into(), hint: hint.into() };
        self.0.push(Finding { place, cause, severity: Severity::Warning });
    }

    /// Nothing of that kind has this name.
    pub(super) fn unknown<'a>(
        &mut self,
        place: Place,
        what: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        let known: Vec<&str> = known.into_iter().collect();
        let near = crate::spec::nearest::nearest(name, known.iter().copied());
        let hint = match known[..] {
            [] => "the file has none".to_owned(),
            _ => format!("there are {}", known.join(", ")),
        };
        self.problem(place, Cause::UnknownName { what, name: name.to_owned(), near, hint });
    }
}
