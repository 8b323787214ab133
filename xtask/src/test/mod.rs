//! `cargo xtask test`: the one command that says whether the checkout is good. Format and lints, the
//! tests of the host, the product, then the end-to-end tests in guests, on every kernel of the matrix.
//! All failures are collected; only a product that does not build ends it early.

mod binaries;
mod guests;
mod placement;
mod progress;
mod queue;
mod report;
mod retry;

use std::collections::BTreeSet;
use std::num::NonZero;
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

use self::binaries::Binary;
use self::guests::{Guests, Run};
use self::progress::{Progress, tell, timed};
use self::report::{Counts, Verdict};
use crate::kernel::{self, Kernel, Name};
use crate::setup::Group;
use crate::{build, checkout, child, dist, fuzz, setup, toolchain};

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

/// How long the grammars are fuzzed; by hand it may be longer.
const FUZZ_SECONDS: u32 = 30;

/// One more than there are processors, since tests wait for deadlines and leases; on a large machine as many as there
/// is memory for.
fn guests() -> usize {
    thread::available_parallelism().map_or(2, NonZero::get).min(7) + 1
}

impl Test {
    pub(crate) fn run(self) -> Result<()> {
        let start = Instant::now();
        let mut progress = Progress::default();
        let names = if self.kernel.is_empty() { Name::ALL.to_vec() } else { self.kernel.clone() };
        // Whoever has to install something is told of all of it, at once and first.
        let guests = !self.host_only && progress.step("setup", || setup::ready(&needs(&names)));
        // Much of this keeps one processor busy, or none: what takes longest goes on beside all else.
        thread::scope(|scope| {
            let (ready, arriving) = mpsc::channel();
            let wanted = &names;
            let kernels = guests.then(|| scope.spawn(move || kernels(wanted, &ready)));
            // Before all that has them inside.
            if guests {
                progress.step("BPF programs", build::programs);
            }
            progress.step("format", || child::run(child::cargo().args(["fmt", "--all", "--check"])));
            progress.step("lints", lints);
            self.host_tests(&mut progress);
            let fuzzer = self.filter.is_none().then(|| scope.spawn(|| timed(|| fuzz::run(FUZZ_SECONDS))));
            let binaries = if guests { self.make(&names, &mut progress) } else { None };
            let packages =
                (binaries.is_some() && self.filter.is_none()).then(|| scope.spawn(|| timed(dist::check)));
            if let Some(binaries) = binaries {
                self.end_to_end(&names, &binaries, arriving, &mut progress)?;
            }
            match kernels.map(ScopedJoinHandle::join) {
                Some(Ok(steps)) => steps.iter().for_each(|step| progress.count(&step.name, step.good)),
                Some(Err(_)) => progress.count("kernels", false),
                None => {}
            }
            packages.and_then(|packages| progress.join("packages", packages));
            fuzzer.and_then(|fuzzer| progress.join("grammar fuzzer", fuzzer));
            anyhow::Ok(())
        })?;
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
        let foreign = (!placement::only_short(names)).then_some(placement::SMOKE);
        let ready = progress.step("build", || build::all_for(&architectures, foreign.is_some()))
            && progress.step("build of end-to-end tests", || {
                made = binaries::build(self.filter.as_deref(), &architectures, foreign)?;
                Ok(())
            });
        ready.then_some(made)
    }

    fn end_to_end(
        &self,
        names: &[Name],
        binaries: &[Binary],
        arriving: Receiver<Kernel>,
        progress: &mut Progress,
    ) -> Result<()> {
        let guests = Guests { names, binaries, filter: self.filter.as_deref(), append: &self.append };
        let mut runs = guests.run(self.jobs, arriving, announce)?;
        retry::failed(&guests, &mut runs, self.retries)?;
        progress.take(names, &runs);
        Ok(())
    }
}

/// What the tests need on these kernels.
fn needs(names: &[Name]) -> Vec<Group> {
    let mut groups = kernel::needs(names);
    groups.extend([Group::Bpf, Group::Test, Group::Deb]);
    groups
}

/// A step that has been told.
struct Step {
    name: String,
    good: bool,
}

/// Gets the kernels, built or downloaded where they are not here, and hands on each when it is ready. The one that is
/// built comes last.
fn kernels(names: &[Name], ready: &Sender<Kernel>) -> Vec<Step> {
    let mut names = names.to_vec();
    names.sort_by_key(|name| *name == Name::FaultInjection);
    let get = |name: Name| {
        let (outcome, took) = timed(|| kernel::ready(name));
        let step = Step { name: format!("kernel {name}"), good: outcome.is_ok() };
        tell(&step.name, &outcome, took);
        // Nobody waits for it where the tests do not build.
        if let Ok(kernel) = outcome {
            _ = ready.send(kernel);
        }
        step
    };
    names.into_iter().map(get).collect()
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
