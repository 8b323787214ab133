//! `run --replay`: the seed, the parameters and the captured values of another run, and what came out differently.

use std::{collections::BTreeMap, fs, path::Path};

use injector::experiment::{
    journal::{self, Record},
    report::{Report, differences, first_different_injection},
};

use crate::cli::exit::Failure;

/// What is taken from another run.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) seed: u64,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) captured: BTreeMap<String, String>,
    /// The experiment as it was read then.
    pub(super) text: String,
    report: Option<Report>,
    log: String,
}

impl Before {
    /// Reads it from the run's folder.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let moments =
            journal::read(folder).map_err(|error| Failure::usage(error.to_string(), error.hint()))?;
        let Some(Record::Begun { seed, parameters, text, .. }) = moments.first().map(|moment| &moment.record)
        else {
            let message =
                format!("the journal in {} does not begin with the beginning of a run", folder.display());
            return Err(Failure::usage(message, "name the folder of another run"));
        };
        let captured = moments.iter().filter_map(|moment| match &moment.record {
            Record::Set { name, value } => Some((name.clone(), value.clone())),
            _ => None,
        });
        let report = fs::read_to_string(folder.join("report.json")).ok();
        Ok(Self {
            seed: *seed,
            parameters: parameters.clone(),
            captured: captured.collect(),
            text: text.clone(),
            report: report.and_then(|report| serde_json::from_str(&report).ok()),
            log: fs::read_to_string(folder.join("faults.jsonl")).unwrap_or_default(),
        })
    }

    /// What came out differently in the run in `folder`.
    pub(super) fn compared(&self, report: &Report, folder: &Path) -> String {
        let mut told = match &self.report {
            Some(before) => differences(before, report),
            None => vec!["the run before has no report: injector experiment report makes one".to_owned()],
        };
        let log = fs::read_to_string(folder.join("faults.jsonl")).unwrap_or_default();
        told.extend(first_different_injection(&self.log, &log).map(|one| format!("injections: {one}")));
        if told.is_empty() {
            return "replay: nothing came out differently\n".to_owned();
        }
        told.iter().flat_map(|one| ["replay: ", one, "\n"]).collect()
    }
}
