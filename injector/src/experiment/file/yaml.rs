//! YAML or JSON to the file's form, and what the reader of YAML says in our words.

use serde_saphyr::{Budget, Error, Location, Options};

use crate::{
    experiment::{
        file::{
            cause::Cause,
            error::Problem,
            form::{FileForm, place},
            source::{Mark, Source},
        },
        model::Place,
    },
    spec::nearest::nearest,
};

/// A longer file is not read, bytes.
pub(super) const LONGEST: usize = 1 << 20;
const DEEPEST: usize = 64;
const NODES: usize = 50_000;

/// Keys of the design that come later.
const LATER: [&str; 3] = ["limit", "stress", "disk"];

fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_depth = DEEPEST;
    budget.max_nodes = NODES;
    budget.max_events = 2 * NODES;
    budget.max_documents = 2;
    budget.flow_nesting_limit = DEEPEST;
    budget.max_total_scalar_bytes = 4 * LONGEST;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.alias_limits.max_total_replayed_events = NODES;
    options.strict_booleans = true;
    options.reject_unsupported_tags = true;
    options.with_snippet = false;
    options
}

/// Reads the text of the file called `file`.
pub(super) fn read(file: &str, text: &str, source: &Source<'_>) -> Result<FileForm, Box<Problem>> {
    let problem = |mark, cause| Box::new(Problem { file: file.to_owned(), mark, cause, secrets: Vec::new() });
    if text.len() > LONGEST {
        let message = format!("the file is longer than {} KiB", LONGEST >> 10);
        let hint = "an experiment is written by hand; put data into files of their own".to_owned();
        let mark = source.mark(Place { line: 1, column: 1 }, 1);
        return Err(problem(mark, Cause::Yaml { message, hint }));
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let (mark, cause) = told(error.without_snippet(), source);
        problem(mark, cause)
    })
}

/// Where it is, and what it is.
fn told(error: &Error, source: &Source<'_>) -> (Mark, Cause) {
    let defined = error.locations().map(|both| both.defined_location);
    let location = defined.filter(|location| *location != Location::UNKNOWN).or_else(|| error.location());
    let at = location.filter(|location| location.line() > 0).map(place);
    let mark = source.word(at.unwrap_or(Place { line: 1, column: 1 }));
    let cause = cause(error, source, mark.place);
    (mark, cause)
}

fn cause(error: &Error, source: &Source<'_>, at: Place) -> Cause {
    match error {
        Error::AliasError { error, .. } => cause(error, source, at),
        Error::SerdeUnknownField { field, .. } if LATER.contains(&field.as_str()) => {
            Cause::NotYet(field.clone())
        }
        Error::SerdeUnknownField { field, expected, .. } => Cause::UnknownKey {
            key: field.clone(),
            near: nearest(field, expected.iter().copied()),
            known: expected.iter().map(|&key| key.to_owned()).collect(),
        },
        Error::SerdeMissingField { field, .. } => Cause::MissingKey(field),
        Error::SerdeInvalidType { unexpected, expected, .. } => wrong_type(unexpected, expected),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.clone().unwrap_or_default();
            let hint = "leave one of the two out".to_owned();
            Cause::Yaml { message: format!("the key `{key}` is there twice"), hint }
        }
        Error::UnsupportedTag { tag, .. } => {
            let hint = "leave it out; in quotes, a text may begin with `!`".to_owned();
            Cause::Yaml { message: format!("`{tag}` is a tag, and tags are not read"), hint }
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            let message = "this is more than an experiment may have".to_owned();
            let hint =
                format!("at most {NODES} values, {DEEPEST} deep, are read, with those that aliases repeat");
            Cause::Yaml { message, hint }
        }
        Error::Eof { .. } => {
            let hint = "begin it with `injector: 1` and `title: …`".to_owned();
            Cause::Yaml { message: "the file is empty".to_owned(), hint }
        }
        Error::MultipleDocuments { .. } => {
            let hint = "leave `---` out, or put each into a file of its own".to_owned();
            Cause::Yaml { message: "the file has several documents".to_owned(), hint }
        }
        Error::Unexpected { expected: "mapping start", .. } => Cause::Yaml {
            message: "a table is needed here".to_owned(),
            hint: "write `KEY: VALUE` in lines of their own, or {KEY: VALUE}".to_owned(),
        },
        Error::Unexpected { expected: "sequence start", .. } => Cause::Yaml {
            message: "a list is needed here".to_owned(),
            hint: "write `- VALUE` in lines of their own, or [VALUE]".to_owned(),
        },
        other => syntax(other, source, at),
    }
}

/// A value of another kind than the key has.
fn wrong_type(unexpected: &str, expected: &str) -> Cause {
    let scalar = ["integer", "floating", "boolean"].iter().any(|kind| unexpected.starts_with(kind));
    let hint = if scalar && expected.contains("text") {
        "put it in quotes".to_owned()
    } else {
        format!("write {expected}")
    };
    Cause::Yaml { message: format!("here is {}, and {expected} is needed", article(unexpected)), hint }
}

/// In words that a person may know.
fn article(unexpected: &str) -> String {
    let (kind, value) = unexpected.split_once(' ').unwrap_or((unexpected, ""));
    match kind {
        "integer" | "floating" => format!("the number {}", value.trim_start_matches("point ")),
        "boolean" => value.to_owned(),
        "string" => format!("the text {value}"),
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        "unit" => "nothing".to_owned(),
        _ => unexpected.to_owned(),
    }
}

/// What is no YAML, or of no kind that has words of its own.
fn syntax(error: &Error, source: &Source<'_>, at: Place) -> Cause {
    let message = error.to_string();
    let message = message.lines().next().unwrap_or_default();
    // The place is said already.
    let message =
        message.split(" at line ").next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let hint = if message.contains("mapping values are not allowed") {
        let rule = source.line_has(at, " : ");
        if rule { "put the rule in quotes" } else { "put the text in quotes, since it has a `: `" }.to_owned()
    } else if message.contains("version ") {
        "write `injector: 1`, or use the injector that the file was written for".to_owned()
    } else if message.contains('\t') || message.contains("tab") {
        "indent with blanks".to_owned()
    } else {
        "see https://yaml.org/spec/1.2.2; a text with signs in it is best in 'single quotes'".to_owned()
    };
    Cause::Yaml { message, hint }
}
