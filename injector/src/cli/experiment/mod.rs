//! `injector experiment`: files that say what must hold, and what is broken meanwhile.

mod check;
mod input;
mod lead;
mod note;
mod page;
mod progress;
mod replay;
mod report;
mod run;
mod schema;
mod summary;

use clap::{Args, Subcommand};

use crate::cli::exit::{Code, Failure};

/// Work with experiments: files that say what must hold, and what is broken meanwhile
///
/// docs/experiments.md explains them, and has all keys.
#[derive(Args, Debug)]
pub(super) struct Experiment {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Check(check::Check),
    Run(run::Run),
    Report(report::Report),
    Note(note::Note),
    Schema(schema::Schema),
}

impl Experiment {
    pub(super) fn run(self) -> Result<Code, Failure> {
        match self.verb {
            Verb::Check(check) => check.run(),
            Verb::Run(run) => run.run(),
            Verb::Report(report) => report.run(),
            Verb::Note(note) => note.run(),
            Verb::Schema(schema) => schema.run(),
        }
    }
}
