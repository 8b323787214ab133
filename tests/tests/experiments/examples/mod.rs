//! The examples: each is held with what it praises, is not held without, and is never held when nothing is injected.
//!
//! An example that could not fail would prove nothing. The machine is emulated and slow, its clock is not: what takes
//! long is shortened by the examples' own parameters.

mod etcd;
mod liar;
mod redis;
mod shop;
mod web;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use injector::experiment::{
    journal::Phase,
    judge::Truth,
    report::{ConditionReport, Figures, Report},
};
use injector_tests::{
    injector::{Injector, Running},
    residue::{Census, Exceptions},
};
use tempfile::TempDir;

/// A run of an experiment.
struct Trial {
    running: Running,
    runs: TempDir,
}

/// One that has ended.
struct Ended {
    report: Report,
    said: String,
    /// What its services said, by name.
    logs: PathBuf,
    _runs: TempDir,
}

/// An example's file.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/experiments").join(name)
}

impl Trial {
    /// Starts it with values for its parameters; `words` are further options.
    fn start(file: &Path, parameters: &[(&str, &str)], words: &[&str]) -> Result<Self> {
        let runs = tempfile::Builder::new().prefix("runs-").tempdir_in("/tmp")?;
        let mut injector = Injector::new(["experiment", "run"])?.word(file).word("--dir").word(runs.path());
        for (name, value) in parameters {
            injector = injector.word("--set").word(format!("{name}={value}"));
        }
        Ok(Self { running: injector.words(words).json().start()?, runs })
    }

    fn finish(self) -> Result<Ended> {
        let finished = self.running.finish()?;
        let (code, said) = (finished.code, finished.stderr);
        let report: Report = serde_json::from_str(&finished.stdout).with_context(|| said.clone())?;
        ensure!(i32::from(report.code) == code, "{code} is not {}: {said}", report.code);
        let folder = fs::read_dir(self.runs.path())?.next().context("no folder")??.path();
        Ok(Ended { report, said, logs: folder.join("logs"), _runs: self.runs })
    }
}

impl Ended {
    /// It has to have this code.
    fn expect(self, code: u8) -> Result<Self> {
        let Report { sentence, reasons, .. } = &self.report;
        ensure!(
            self.report.code == code,
            "{} instead of {code}: {sentence}\n{reasons:#?}\n{}",
            self.report.code,
            self.said
        );
        eprintln!("{code}, {:.0} s: {sentence}", self.report.duration);
        Ok(self)
    }

    fn condition(&self, text: &str) -> Result<&ConditionReport> {
        let found = self.report.conditions.iter().find(|condition| condition.condition.starts_with(text));
        let found = found.with_context(|| format!("no `{text}` in {:#?}", self.report.conditions))?;
        eprintln!("  {}: {:?}, {:?} of {}", found.condition, found.truth, found.measured, found.samples);
        Ok(found)
    }

    fn figures(&self, source: &str, phase: Phase) -> Result<&Figures> {
        let source = self.report.sources.iter().find(|one| one.name == source).context("no such source")?;
        source.phases.get(&phase).context("nothing in that phase")
    }

    /// How often the rules of a fault were faults.
    fn fired(&self, fault: &str) -> u64 {
        let of = self.report.faults.iter().filter(|one| one.fault == fault);
        of.flat_map(|fault| &fault.rules).map(|rule| rule.fired).sum()
    }

    fn log(&self, service: &str) -> Result<String> {
        Ok(fs::read_to_string(self.logs.join(service))?)
    }
}

/// The three controls of an example: what it praises on, off, and nothing injected.
fn controls(file: &str, common: &[(&str, &str)], off: &[(&str, &str)]) -> Result<[Ended; 3]> {
    let (file, census) = (example(file), Census::take()?);
    let held = Trial::start(&file, common, &[])?.finish()?.expect(0)?;
    let not_held = Trial::start(&file, &[common, off].concat(), &[])?.finish()?.expect(10)?;
    let watched = Trial::start(&file, common, &["--monitor"])?.finish()?.expect(1)?;
    ensure!(watched.report.monitor, "{:?}", watched.report);
    ensure!(watched.report.sentence.contains("(--monitor)"), "{}", watched.report.sentence);
    ensure!(watched.report.conditions.iter().all(|condition| condition.truth == Truth::True));
    census.gone(Exceptions::None)?;
    Ok([held, not_held, watched])
}
