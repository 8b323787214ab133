//! `injector experiment note`: something to be remembered, into the journal of a run that goes on.

use std::path::{Path, PathBuf};

use clap::Args;
use injector::experiment::{
    run::{Order, order},
    warden,
};

use crate::cli::exit::{Code, Failure};

/// Add a note to the journal of a run that goes on
///
/// The report has it, with the time and who said it.
#[derive(Args, Debug)]
pub(in crate::cli) struct Note {
    /// The run's name or its folder; the newest one is `last`
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// What is to be remembered
    #[arg(value_name = "TEXT", required = true)]
    text: Vec<String>,
    /// Who says so
    #[arg(long, value_name = "NAME", env = "USER", default_value = "somebody")]
    by: String,
}

impl Note {
    pub(in crate::cli) fn run(self) -> Result<Code, Failure> {
        let folder = folder(&self.run);
        let note = Order::Note { by: self.by, text: self.text.join(" ") };
        order(&folder, &note).map_err(|error| {
            let message = format!("cannot add a note to the run {}: {error}", folder.display());
            Failure::usage(message, "name a run that goes on: its folder, or its name below injector-runs")
        })?;
        Ok(Code::OK)
    }
}

/// A run's folder: as it was typed, or below the usual place.
pub(super) fn folder(run: &Path) -> PathBuf {
    let usual = Path::new(warden::RUNS);
    if run.as_os_str() == "last" {
        let names = std::fs::read_dir(usual).into_iter().flatten().flatten().map(|entry| entry.path());
        return names.max().unwrap_or_else(|| usual.to_owned());
    }
    if run.is_dir() { run.to_owned() } else { usual.join(run) }
}
