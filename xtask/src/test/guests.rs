//! The end-to-end tests in their guests: a machine of its own for every binary and kernel, some at a
//! time, so that a panic or a hang costs one binary and is seen next to what caused it.

use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::binaries::{self, Binary};
use super::queue::{Queue, Waiting};
use super::report::{Case, Counts, Verdict, cases};
use crate::checkout;
use crate::kernel::{Kernel, Name};
use crate::vm::{Ending, Guest, Outcome, Streams};

/// A binary that takes longer hangs; emulation on a busy host is slow.
const LIMIT: Duration = Duration::from_mins(45);

/// One binary's run on one kernel.
pub(super) struct Run {
    pub(super) kernel: Kernel,
    pub(super) binary: Binary,
    pub(super) cases: Vec<Case>,
    /// What is wrong besides tests that failed.
    pub(super) trouble: Vec<String>,
    pub(super) counts: Counts,
    pub(super) outcome: Outcome,
}

impl Run {
    pub(super) fn good(&self) -> bool {
        self.counts.failed == 0 && self.trouble.is_empty()
    }
}

/// Which tests of a binary to run.
pub(super) enum Selection {
    /// Those that the filter names, without these modules.
    AllBut(Vec<&'static str>),
    /// Those with these names.
    Only(Vec<String>),
}

/// What to run, and where.
pub(super) struct Guests<'a> {
    pub(super) names: &'a [Name],
    pub(super) binaries: &'a [Binary],
    /// Only tests whose name contains this.
    pub(super) filter: Option<&'a str>,
    /// More kernel parameters.
    pub(super) append: &'a [String],
}

impl Guests<'_> {
    /// Runs every binary on every kernel that arrives, `jobs` guests at a time, and at the end those that need a machine of
    /// their own; calls `done` after each.
    pub(super) fn run(
        &self,
        jobs: usize,
        arriving: Receiver<Kernel>,
        done: impl Fn(&Run) + Sync,
    ) -> Result<Vec<Run>> {
        let queue = Queue::new(self.binaries, self.names);
        let finished = Mutex::new(Vec::new());
        let one = |Waiting { kernel, binary, left_out }: Waiting<'_>| {
            let run = self.one(&kernel, binary, &Selection::AllBut(left_out));
            if let Ok(run) = &run {
                done(run);
            }
            finished.lock().unwrap_or_else(PoisonError::into_inner).push(run);
        };
        let work = || {
            while let Some(waiting) = queue.next() {
                one(waiting);
            }
        };
        thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(work);
            }
            for kernel in arriving {
                queue.add(&kernel);
            }
            queue.complete();
        });
        queue.take_alone().into_iter().for_each(one);
        finished.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
    }

    pub(super) fn one(&self, kernel: &Kernel, binary: &Binary, selection: &Selection) -> Result<Run> {
        let mut guest = Guest::new(kernel.clone());
        guest.name = format!("{}-{}", kernel.name, binary.name);
        guest.directory = binaries::folder();
        guest.append = self.append.to_vec();
        guest.limit = LIMIT;
        guest.streams = Streams::Capture;
        let architecture = kernel.name.architecture();
        guest.env = vec![
            ("INJECTOR".to_owned(), checkout::injector_for(architecture).display().to_string()),
            ("INJECTOR_TEST_KERNEL".to_owned(), kernel.name.to_string()),
            // Naming the frames of a debug build costs an emulated processor seconds for each panic.
            ("RUST_BACKTRACE".to_owned(), "0".to_owned()),
            // libtest tells how long each test took only where it may be unstable.
            ("RUSTC_BOOTSTRAP".to_owned(), "1".to_owned()),
            // The shared folder is gone with the next runs, and /tmp is the guest's own.
            ("TMPDIR".to_owned(), "/tmp".to_owned()),
        ];
        // One stream for both, so that what a test says stands with its name.
        let mut command: Vec<String> = ["sh", "-c", "exec \"$0\" \"$@\" 2>&1"].map(str::to_owned).to_vec();
        let path = binary.paths.get(&architecture).context("a test binary was not built")?;
        command.push(path.display().to_string());
        command.extend(
            ["--test-threads=1", "--nocapture", "-Zunstable-options", "--report-time"].map(str::to_owned),
        );
        if let Ok(full) = std::env::var("INJECTOR_TEST_FULL") {
            guest.env.push(("INJECTOR_TEST_FULL".to_owned(), full));
        }
        match selection {
            Selection::AllBut(modules) => {
                command.extend(modules.iter().flat_map(|module| ["--skip".to_owned(), (*module).to_owned()]));
                command.extend(self.filter.map(str::to_owned));
            }
            Selection::Only(names) => {
                command.push("--exact".to_owned());
                command.extend(names.iter().cloned());
            }
        }
        let mut outcome = guest.run(&command)?;
        if outcome.emulator_fault {
            println!("again  {:<15} {:<20} the emulator broke down", kernel.name, binary.name);
            outcome = guest.run(&command)?;
        }
        let cases = cases(&String::from_utf8_lossy(&outcome.stdout));
        let mut counts = Counts::of_cases(&cases);
        let trouble = trouble(&outcome, &cases);
        // Each failed guest counts, even if all its tests were content.
        if counts.failed == 0 && !trouble.is_empty() {
            counts.failed = 1;
        }
        Ok(Run { kernel: kernel.clone(), binary: binary.clone(), cases, trouble, counts, outcome })
    }
}

/// What went wrong with the guest or the binary as a whole.
fn trouble(outcome: &Outcome, cases: &[Case]) -> Vec<String> {
    let mut trouble = Vec::new();
    match &outcome.ending {
        Ending::Exited(0) => {}
        // libtest's own code for "a test failed", which the cases tell.
        Ending::Exited(101) if cases.iter().any(|case| case.verdict == Verdict::Failed) => {}
        Ending::Exited(code) => trouble.push(format!("the test binary exited with {code}")),
        Ending::TimedOut => trouble.push(format!("not finished after {} minutes", LIMIT.as_secs() / 60)),
        Ending::Panicked => trouble.push("the kernel panicked".to_owned()),
        Ending::Lost(why) => trouble.push(why.clone()),
    }
    trouble.extend(outcome.trouble.iter().map(|report| format!("the kernel reports:\n{report}")));
    trouble
}
