//! What all verbs that read an experiment take: the file, and the values of its parameters.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::Args;
use injector::experiment::{
    file::{self, FileError, Given},
    model::Experiment,
};

use crate::cli::exit::Failure;

/// The file of an experiment.
#[derive(Args, Debug)]
pub(super) struct Input {
    /// The experiment's file, YAML or JSON
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The value of a parameter; else $INJECTOR_PARAM_NAME, else what the file has
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}
