//! `injector experiment report`: the report of a run from its journal, also of one that was killed.

use std::path::PathBuf;

use clap::Args;
use injector::experiment::{
    file::{self, Given},
    journal, report,
};

use crate::cli::{
    exit::{Code, Failure},
    experiment::{note::folder, page, run::write},
    output,
};

/// Make the report of a run from its journal
///
/// The report is the one that the run made itself; of a run that was killed it says so, and in which phase. It is written to
/// report.json in the folder. The exit code is that of the run.
#[derive(Args, Debug)]
pub(in crate::cli) struct Report {
    /// The run's folder or name; the newest one is `last`
    #[arg(value_name = "RUN")]
    folder: PathBuf,
    /// Print the report as JSON on stdout
    #[arg(long)]
    json: bool,
}

impl Report {
    pub(in crate::cli) fn run(self) -> Result<Code, Failure> {
        let folder = folder(&self.folder);
        let moments = journal::read(&folder);
        let moments = moments.map_err(|error| Failure::usage(error.to_string(), error.hint()))?;
        let Some(journal::Record::Begun { text, parameters, .. }) =
            moments.first().map(|moment| &moment.record)
        else {
            let message =
                format!("the journal in {} does not begin with the beginning of a run", folder.display());
            return Err(Failure::usage(
                message,
                "name the folder of a run, such as injector-runs/20261127T101500Z-417",
            ));
        };
        let given = Given { set: parameters.clone(), ..Given::default() };
        let experiment = file::read("experiment.yaml", text, &given);
        let experiment = experiment.map_err(|error| Failure::usage(error.to_string(), error.hint()))?;
        let report = report::of(&experiment, &moments);
        write(&folder.join("report.json"), &report)?;
        if self.json {
            output::print_json(&report)?;
        } else {
            output::out(&page::page(&report))?;
        }
        Ok(Code::of_command(i32::from(report.code)))
    }
}
