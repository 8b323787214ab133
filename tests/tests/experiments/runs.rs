//! Runs of `injector experiment run`, each in a folder of its own, as the tests of them see them: phase by phase in their
//! journals while they go on, and by their reports afterwards.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use injector_tests::{
    injector::{Finished, Injector, Running},
    patience,
};
use serde_json::Value;
use tempfile::TempDir;

/// A run that was started.
pub(super) struct Run {
    place: TempDir,
    running: Running,
}

/// One that came to its end by itself.
pub(super) struct Ended {
    place: TempDir,
    pub(super) finished: Finished,
    pub(super) report: Value,
    pub(super) records: Vec<Value>,
}

impl Run {
    /// Starts the experiment of this text.
    pub(super) fn start(text: &str, words: &[&str]) -> Result<Self> {
        let place = tempfile::Builder::new().prefix("runs-").tempdir_in("/tmp")?;
        let file = place.path().join("experiment.yaml");
        fs::write(&file, text)?;
        let injector = Injector::new(["experiment", "run", "--dir"])?.word(place.path().join("runs"));
        let running = injector.words(words).word(file).start()?;
        Ok(Self { place, running })
    }

    /// The injector's process.
    pub(super) fn running(&self) -> &Running {
        &self.running
    }

    /// The run's folder, as soon as it is there.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        folder(self.place.path())
    }

    /// What the journal has by now.
    pub(super) fn records(&self) -> Result<Vec<Value>> {
        self.folder().map_or_else(|| Ok(Vec::new()), |folder| records(&folder))
    }

    /// Waits until the journal has a record for which `wanted` says yes; gives it.
    pub(super) fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut found = None;
        let outcome = patience::until(what, patience::LONG, || {
            found = self.records()?.into_iter().find(&wanted);
            if found.is_none() && self.running.has_ended()? {
                bail!("the run has ended");
            }
            Ok(found.is_some())
        });
        outcome.with_context(|| format!("{what}: {}{}", self.running.stderr(), self.running.stdout()))?;
        found.context("no record")
    }

    /// Waits until a phase has begun.
    pub(super) fn phase(&mut self, phase: &str) -> Result<()> {
        self.until(phase, |record| record["kind"] == "phase" && record["phase"] == phase).map(drop)
    }

    /// Waits for its end, which has to give this exit code, and a journal that gives the same report again.
    pub(super) fn end(self, code: i32) -> Result<Ended> {
        let Self { place, running } = self;
        let finished = running.finish()?.expect(code)?;
        let folder = folder(place.path()).context("the run has no folder")?;
        let file = folder.join("report.json");
        let live = fs::read(&file)?;
        fs::remove_file(&file)?;
        Injector::new(["experiment", "report"])?.word(&folder).expect(code)?;
        let again = fs::read(&file)?;
        ensure!(live == again, "another report: {}\n{}", String::from_utf8(live)?, String::from_utf8(again)?);
        Ok(Ended { report: serde_json::from_slice(&again)?, records: records(&folder)?, place, finished })
    }
}

impl Ended {
    /// The run's folder.
    pub(super) fn folder(&self) -> Result<PathBuf> {
        folder(self.place.path()).context("the run has no folder")
    }

    /// All that was told about something: a service, `rollback`, `abort`.
    pub(super) fn told(&self, about: &str) -> Vec<String> {
        let all = self.report["told"].as_array().into_iter().flatten();
        let of = all.filter(|told| told["about"] == about);
        of.filter_map(|told| told["text"].as_str().map(str::to_owned)).collect()
    }

    /// The report's first sentence.
    pub(super) fn sentence(&self) -> &str {
        self.report["sentence"].as_str().unwrap_or_default()
    }
}

fn folder(place: &Path) -> Option<PathBuf> {
    let entry = fs::read_dir(place.join("runs")).ok()?.flatten().next()?;
    Some(entry.path())
}

/// All whole records of a journal.
fn records(folder: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(folder.join("journal.jsonl")).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

/// A time of a journal.
pub(super) fn time(value: &Value) -> Result<Duration> {
    Ok(Duration::from_nanos(value.as_u64().with_context(|| format!("{value} is no time"))?))
}
