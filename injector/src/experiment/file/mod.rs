//! Files of experiments: YAML or JSON to the [model](super::model), with every problem at its place.
//!
//! text -> `yaml` -> `form` (what is written) -> `meaning` (what it says) -> [`Experiment`]

mod cause;
mod error;
mod form;
mod meaning;
mod parameters;
mod source;
mod yaml;

#[cfg(test)]
pub(super) mod tests;

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

pub use self::{
    cause::Cause,
    error::{FileError, Problem},
    parameters::Given,
    source::Mark,
};
use crate::experiment::{
    file::source::Source,
    model::{Experiment, Place},
};

/// The text of a file, or a little more than is read at all.
///
/// # Errors
/// It cannot be read, or is no text.
pub fn text(path: &Path) -> Result<String, FileError> {
    let limit = yaml::LONGEST as u64 + 1;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    read.map_err(unreadable)?;
    let long = bytes.len() > yaml::LONGEST;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        // Cut in the middle of a character.
        Err(error) if long => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        Err(_) => Err(unreadable(io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8 text"))),
    }
}

/// Reads the text of the file called `name`.
///
/// # Errors
/// [`FileError::Wrong`]: all that is wrong with it, if it is YAML with the right keys; else the first thing.
pub fn read(name: &str, text: &str, given: &Given) -> Result<Experiment, FileError> {
    let source = Source::new(text);
    let form = yaml::read(name, text, &source).map_err(|problem| FileError::Wrong(vec![*problem]))?;
    meaning::experiment(name, &source, &form, given).map_err(FileError::Wrong)
}

/// What is wrong with something at a place of the file called `name`, for what is found after it was read.
pub fn problem(name: &str, text: &str, place: Place, cause: Cause) -> Problem {
    let mark = Source::new(text).word(place);
    Problem { file: name.to_owned(), mark, cause, secrets: Vec::new() }
}

/// The JSON Schema (draft 2020-12) of the files.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(form::FileForm).to_value()
}
