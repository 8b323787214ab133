//! What has come of all steps so far, told as they end, and the summary at the end.

use std::cmp::Reverse;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use super::guests::Run;
use super::report::{Case, Counts, Verdict};
use crate::kernel::Name;

/// How many of the slowest tests are named at the end.
const SLOWEST: usize = 10;

/// What has come of all so far.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) counts: Counts,
    /// Names of steps that failed.
    failed: Vec<String>,
    skips: Vec<String>,
    /// Tests that failed and then passed.
    flaky: Vec<String>,
}

impl Progress {
    /// Runs a step and prints a line with its duration; true if it was good.
    pub(super) fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> bool {
        let (outcome, took) = timed(work);
        self.note(name, &outcome, took);
        outcome.is_ok()
    }

    /// Waits for a step that goes on beside the others; what came of it, if it was good.
    pub(super) fn join<T>(
        &mut self,
        name: &str,
        step: ScopedJoinHandle<'_, (Result<T>, Duration)>,
    ) -> Option<T> {
        let (outcome, took) = step.join().unwrap_or_else(|_| (Err(anyhow!("it panicked")), Duration::ZERO));
        self.note(name, &outcome, took);
        outcome.ok()
    }

    /// A step has ended.
    fn note<T>(&mut self, name: &str, outcome: &Result<T>, took: Duration) {
        tell(name, outcome, took);
        self.count(name, outcome.is_ok());
    }

    pub(super) fn count(&mut self, step: &str, good: bool) {
        if !good {
            self.failed.push(step.to_owned());
            self.counts.failed += 1;
        }
    }

    /// Adds the guests' results, and prints them as a table of binaries and kernels.
    pub(super) fn take(&mut self, kernels: &[Name], runs: &[Run]) {
        let mut names: Vec<&str> = runs.iter().map(|run| run.binary.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        print!("\npassed/failed/skipped");
        for kernel in kernels {
            print!(" {kernel:>16}");
        }
        println!();
        for name in names {
            print!("{name:<21}");
            for kernel in kernels {
                let run = runs.iter().find(|run| run.binary.name == name && run.kernel.name == *kernel);
                let cell = run.map_or_else(String::new, |Run { counts, .. }| {
                    format!("{}/{}/{}", counts.passed, counts.failed, counts.skipped)
                });
                print!(" {cell:>16}");
            }
            println!();
        }
        slowest(runs);
        for run in runs {
            self.counts.add(run.counts);
            for case in &run.cases {
                let what = format!("{} on {}", case.name, run.kernel.name);
                match &case.verdict {
                    Verdict::Skipped(why) => self.skips.push(format!("{what}: {why}")),
                    Verdict::Flaky => self.flaky.push(what),
                    Verdict::Passed | Verdict::Failed | Verdict::Unfinished => {}
                }
            }
        }
    }

    /// The last lines; an error if anything failed.
    pub(super) fn finish(self, took: Duration) -> Result<()> {
        for (title, tests) in [("skipped", &self.skips), ("flaky, passed when run again", &self.flaky)] {
            if !tests.is_empty() {
                println!("\n{title}:");
                for test in tests {
                    println!("  {test}");
                }
            }
        }
        let Counts { passed, failed, skipped } = self.counts;
        println!("\ntook {} min {} s", took.as_secs() / 60, took.as_secs() % 60);
        if !self.failed.is_empty() {
            println!("failed steps: {}", self.failed.join(", "));
        }
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        if failed > 0 {
            bail!("not good");
        }
        Ok(())
    }
}

/// What came of `work`, and how long it took.
pub(super) fn timed<T>(work: impl FnOnce() -> Result<T>) -> (Result<T>, Duration) {
    let start = Instant::now();
    (work(), start.elapsed())
}

/// A line for a step that has ended.
pub(super) fn tell<T>(name: &str, outcome: &Result<T>, took: Duration) {
    let verdict = if outcome.is_ok() { "ok    " } else { "FAILED" };
    println!("{verdict} {name} ({:.1} s)", took.as_secs_f64());
    if let Err(error) = outcome {
        eprintln!("---- {name}: {error:#}");
    }
}

/// A line for each of the tests that took longest.
fn slowest(runs: &[Run]) {
    let timed = |run: &'_ Run| -> Vec<(Duration, String)> {
        let line = |case: &Case| Some((case.took?, format!("{} on {}", case.name, run.kernel.name)));
        run.cases.iter().filter_map(line).collect()
    };
    let mut all: Vec<_> = runs.iter().flat_map(timed).collect();
    all.sort_by_key(|(took, _)| Reverse(*took));
    println!("\nthe slowest:");
    for (took, name) in all.iter().take(SLOWEST) {
        println!("  {:>6.1} s  {name}", took.as_secs_f64());
    }
}
