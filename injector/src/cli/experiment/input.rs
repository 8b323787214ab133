//! The file of an experiment and its parameters on the command line.

use std::path::PathBuf;

use clap::Args;
use injector::experiment::{
    file::{self, Given, Problem},
    model,
};

use crate::cli::exit::Failure;

/// Which file, and what stands for its parameters.
#[derive(Args, Debug)]
pub(super) struct Input {
    /// The file: YAML or JSON
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(super) file: PathBuf,
    /// Give a parameter of the file a value
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

/// What was read.
pub(super) struct Read {
    pub(super) experiment: model::Experiment,
    pub(super) text: String,
    pub(super) warnings: Vec<Problem>,
}

impl Input {
    pub(super) fn read(&self) -> Result<Read, Failure> {
        let text = file::text(&self.file).map_err(|error| Failure::usage(error.to_string(), error.hint()))?;
        let set = self.set.iter().filter_map(|one| one.split_once('=')).map(|(a, b)| (a.into(), b.into()));
        let experiment = file::read(&self.file.display().to_string(), &text, &Given::new(set));
        let experiment = experiment.map_err(|error| {
            let all: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
            Failure::usage(format!("{error} {}", all.join("\n")), error.hint())
        })?;
        Ok(Read { experiment, text, warnings: Vec::new() })
    }
}
