//! `cargo xtask test`: the one command that says whether the checkout is good. Format and lints, the
//! tests of the host, the product, then the end-to-end tests in guests, on every kernel of the matrix.
//! All failures are collected; only a product that does not build ends it early.

mod binaries;
mod guests;
mod placement;
mod report;
mod retry;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::num::NonZero;
use std::process::Stdio;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use clap::Args;

use self::binaries::Binary;
use self::guests::{Guests, Run};
use self::report::{Case, Counts, Verdict};
use crate::kernel::{self, Kernel, Name};
use crate::setup::Group;
use crate::{build, checkout, child, fuzz, setup, toolchain};

/// Check everything: format, lints, host tests, and end-to-end tests on every kernel
#[derive(Args)]
pub(crate) struct Test {
    /// Only tests whose name contains this
    filter: Option<String>,
    /// Only this kernel; may be given more than once
    #[arg(long, value_enum)]
    kernel: Vec<Name>,
    /// Only what needs no virtual machine
    #[arg(long)]
    host_only: bool,
    /// More kernel parameters for the guests, such as preempt=full
    #[arg(long, value_name = "CMDLINE", allow_hyphen_values = true)]
    append: Vec<String>,
    /// Guests at a time; emulated, each keeps a processor busy for most of its time
    #[arg(long, value_name = "N", default_value_t = guests())]
    jobs: usize,
    /// How often to run end-to-end tests again that failed; those that then pass are named as flaky
    #[arg(long, value_name = "N", default_value_t = 0)]
    retries: u32,
}

/// How many of the slowest tests are named at the end.
const SLOWEST: usize = 10;
/// How long the grammars are fuzzed; by hand it may be longer.
const FUZZ_SECONDS: u32 = 60;

/// One more than there are processors, since tests wait for deadlines and leases; on a large machine as many as there
/// is memory for.
fn guests() -> usize {
    thread::available_parallelism().map_or(2, NonZero::get).min(7) + 1
}

/// What runs in the guests.
struct Made {
    names: Vec<Name>,
    kernels: Vec<Kernel>,
    binaries: Vec<Binary>,
}

/// What has come of all so far.
#[derive(Default)]
struct Progress {
    counts: Counts,
    /// Names of steps that failed.
    failed: Vec<String>,
    skips: Vec<String>,
    /// Tests that failed and then passed.
    flaky: Vec<String>,
}

impl Test {
    pub(crate) fn run(self) -> Result<()> {
        let start = Instant::now();
        let mut progress = Progress::default();
        let names = if self.kernel.is_empty() { Name::ALL.to_vec() } else { self.kernel.clone() };
        // Much of this keeps one processor busy, or none: what takes longest goes on beside all else.
        let made = thread::scope(|scope| {
            let kernels = (!self.host_only).then(|| scope.spawn(|| timed(|| kernels(&names))));
            progress.step("format", || child::run(child::cargo().args(["fmt", "--all", "--check"])));
            progress.step("lints", lints);
            self.host_tests(&mut progress);
            let fuzzer = self.filter.is_none().then(|| scope.spawn(|| timed(|| fuzz::run(FUZZ_SECONDS))));
            let binaries = if self.host_only { None } else { self.make(&names, &mut progress) };
            let kernels = kernels.and_then(|kernels| progress.join("kernels", kernels));
            fuzzer.and_then(|fuzzer| progress.join("grammar fuzzer", fuzzer));
            Some(Made { names: names.clone(), binaries: binaries?, kernels: kernels? })
        });
        if let Some(made) = made {
            self.end_to_end(&made, &mut progress)?;
        }
        progress.finish(start.elapsed())
    }

    fn host_tests(&self, progress: &mut Progress) {
        let mut counts = Counts::default();
        progress.step("host tests", || {
            let mut cargo = child::cargo();
            cargo.args(["test", "--no-fail-fast"]);
            if let Some(filter) = &self.filter {
                cargo.args(["--", filter]);
            }
            let output = cargo.stdin(Stdio::null()).output()?;
            let said = String::from_utf8_lossy(&output.stdout);
            counts = Counts::of_summaries(&said);
            if !output.status.success() {
                eprintln!("{said}{}", String::from_utf8_lossy(&output.stderr));
                bail!("a host test failed");
            }
            Ok(())
        });
        if counts.failed > 0 {
            // The tests count, not the step.
            progress.counts.failed -= 1;
        }
        progress.counts.add(counts);
    }

    /// What runs in the guests, and what they run with; none if some of it cannot be had.
    fn make(&self, names: &[Name], progress: &mut Progress) -> Option<Vec<Binary>> {
        let architectures: BTreeSet<_> = names.iter().map(|name| name.architecture()).collect();
        let mut made = Vec::new();
        let mut groups = vec![Group::Bpf, Group::Test];
        groups.extend(architectures.iter().map(|&architecture| Group::of_vm(architecture)));
        let ready = progress.step("setup", || groups.into_iter().try_for_each(setup::ready))
            && progress.step("build", || build::all_for(&architectures, true))
            && progress.step("build of end-to-end tests", || {
                let foreign = (!placement::only_short(names)).then_some(placement::SMOKE);
                made = binaries::build(self.filter.as_deref(), &architectures, foreign)?;
                Ok(())
            });
        ready.then_some(made)
    }

    fn end_to_end(&self, made: &Made, progress: &mut Progress) -> Result<()> {
        let guests = Guests {
            kernels: &made.kernels,
            binaries: &made.binaries,
            filter: self.filter.as_deref(),
            append: &self.append,
        };
        let mut runs = guests.run(self.jobs, announce)?;
        retry::failed(&guests, &mut runs, self.retries)?;
        progress.take(&made.names, &runs);
        Ok(())
    }
}

/// The kernels, built or downloaded where they are not here.
fn kernels(names: &[Name]) -> Result<Vec<Kernel>> {
    names.iter().map(|name| kernel::ready(*name)).collect()
}

/// What came of `work`, and how long it took.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> (Result<T>, Duration) {
    let start = Instant::now();
    (work(), start.elapsed())
}

/// Clippy on all but the BPF programs, then on them with the compiler that can.
fn lints() -> Result<()> {
    let mut cargo = child::cargo();
    cargo.args(["clippy", "--quiet", "--workspace", "--exclude", "injector-ebpf", "--all-targets"]);
    child::run(cargo.args(["--", "-Dwarnings"]))?;
    let Some(rustc) = toolchain::linting() else {
        eprintln!("no clippy beside a compiler that builds for BPF: injector-ebpf is not linted");
        return Ok(());
    };
    build::bpf_lints(&rustc)
}

/// A line for a guest that has ended, and what went wrong in it.
fn announce(run: &Run) {
    let verdict = if run.good() { "ok    " } else { "FAILED" };
    let Counts { passed, failed, skipped } = run.counts;
    let boot = run.outcome.boot.map_or_else(|| "-".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
    let took = run.outcome.took.as_secs_f64();
    println!(
        "{verdict} {:<15} {:<20} {passed} passed, {failed} failed, {skipped} skipped ({took:.1} s, boot {boot})",
        run.kernel.name, run.binary.name
    );
    if run.good() {
        return;
    }
    for case in run.cases.iter().filter(|case| matches!(case.verdict, Verdict::Failed | Verdict::Unfinished))
    {
        let how = if case.verdict == Verdict::Failed { "failed" } else { "did not end" };
        eprintln!("---- {} on {} {how}\n{}", case.name, run.kernel.name, case.output.trim_end());
    }
    for what in &run.trouble {
        eprintln!("---- {} on {}: {what}", run.binary.name, run.kernel.name);
    }
    if run.cases.is_empty() {
        for stream in [&run.outcome.stdout, &run.outcome.stderr] {
            eprint!("{}", String::from_utf8_lossy(stream));
        }
    }
    eprintln!("---- all of it: {}", checkout::shown(&run.outcome.folder));
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

impl Progress {
    /// Runs a step and prints a line with its duration; true if it was good.
    fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> bool {
        let (outcome, took) = timed(work);
        self.note(name, &outcome, took);
        outcome.is_ok()
    }

    /// Waits for a step that goes on beside the others; what came of it, if it was good.
    fn join<T>(&mut self, name: &str, step: ScopedJoinHandle<'_, (Result<T>, Duration)>) -> Option<T> {
        let (outcome, took) = step.join().unwrap_or_else(|_| (Err(anyhow!("it panicked")), Duration::ZERO));
        self.note(name, &outcome, took);
        outcome.ok()
    }

    /// A step has ended.
    fn note<T>(&mut self, name: &str, outcome: &Result<T>, took: Duration) {
        let verdict = if outcome.is_ok() { "ok    " } else { "FAILED" };
        println!("{verdict} {name} ({:.1} s)", took.as_secs_f64());
        if let Err(error) = outcome {
            eprintln!("---- {name}: {error:#}");
            self.failed.push(name.to_owned());
            self.counts.failed += 1;
        }
    }

    /// Adds the guests' results, and prints them as a table of binaries and kernels.
    fn take(&mut self, kernels: &[Name], runs: &[Run]) {
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
    fn finish(self, took: Duration) -> Result<()> {
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
