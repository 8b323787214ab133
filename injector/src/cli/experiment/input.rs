//! The file of an experiment and its parameters on the command line.

use std::path::PathBuf;

use clap::Args;
use injector::experiment::{
    check::{self, Finding, Severity},
    file::{self, FileError, Given, Problem},
    model,
};

use crate::cli::{
    exit::{Code, Failure},
    output,
};

/// Which file, and what stands for its parameters.
#[derive(Args, Debug)]
pub(super) struct Input {
    /// The file: YAML or JSON
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(super) file: PathBuf,
    /// Give a parameter of the file a value. May be given more than once; $INJECTOR_PARAM_NAME does the same
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    set: Vec<(String, String)>,
}

/// What was read.
pub(super) struct Read {
    pub(super) experiment: model::Experiment,
    /// The file as it is.
    pub(super) text: String,
    /// What may be meant so, and is said.
    pub(super) warnings: Vec<Problem>,
}

/// A value of `--set`.
fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| "it must be a name, `=` and a value, such as `cut=30s`".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Input {
    /// Gives parameters the values that they had in another run, but for those of this command line.
    pub(super) fn prefer(&mut self, parameters: impl IntoIterator<Item = (String, String)>) {
        let own = std::mem::take(&mut self.set);
        self.set = parameters.into_iter().chain(own).collect();
    }

    /// Reads the file, and looks at it as far as that needs no kernel. All problems but the last are told at once.
    pub(super) fn read(&self) -> Result<Read, Failure> {
        let text = file::text(&self.file).map_err(|error| failure(&error))?;
        let name = self.file.display().to_string();
        let given = Given::new(self.set.iter().cloned());
        let experiment = file::read(&name, &text, &given).map_err(|error| failure(&error))?;
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        for Finding { place, cause, severity } in check::check(&experiment) {
            let found = file::problem(&name, &text, place, cause);
            if severity == Severity::Problem { problems.push(found) } else { warnings.push(found) }
        }
        if problems.is_empty() { Ok(Read { experiment, text, warnings }) } else { Err(told(&problems)) }
    }
}

fn failure(error: &FileError) -> Failure {
    match error {
        FileError::Unreadable { .. } => Failure::usage(error.to_string(), error.hint()),
        FileError::Wrong(problems) => told(problems),
    }
}

/// All but the last are told here.
fn told(problems: &[Problem]) -> Failure {
    let one = |problem: &Problem| Failure::usage(problem.to_string(), problem.hint());
    match problems.split_last() {
        Some((last, others)) => {
            others.iter().map(one).for_each(|failure| output::failure(&failure));
            one(last)
        }
        None => Failure { message: String::new(), hint: String::new(), code: Code::USAGE },
    }
}
