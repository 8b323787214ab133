//! Failed tests, run again: an emulated machine on busy processors at times misses a deadline that a test takes for
//! granted. A test that then passes counts as passed, and is named at the end as flaky.

use anyhow::Result;

use super::guests::{Guests, Run, Selection};
use super::report::{Counts, Verdict};

/// More failures than this in one run are no accident, and none of them is run again.
const MOST: usize = 3;
/// Suites that look for rare moments, whose every failure counts.
const NEVER: [&str; 1] = ["endings"];

/// Runs the failed tests of `runs` again, each in a guest without the tests that passed, at most `retries` times.
pub(super) fn failed(guests: &Guests, runs: &mut [Run], retries: u32) -> Result<()> {
    let all: usize = runs.iter().filter(|run| !run.good()).map(|run| names(run).len().max(1)).sum();
    if all > MOST {
        return Ok(());
    }
    for run in runs.iter_mut().filter(|run| may_be_run_again(run)) {
        for _ in 0..retries {
            let failed = names(run);
            if failed.is_empty() {
                break;
            }
            println!("again  {:<15} {:<20} {}", run.kernel.name, run.binary.name, failed.join(", "));
            let again = guests.one(&run.kernel, &run.binary, &Selection::Only(failed))?;
            let good = again.trouble.is_empty();
            let passed = again.cases.iter().filter(|case| good && case.verdict == Verdict::Passed);
            for name in passed.map(|case| &case.name) {
                for case in run.cases.iter_mut().filter(|case| case.name == *name) {
                    case.verdict = Verdict::Flaky;
                }
            }
            run.counts = Counts::of_cases(&run.cases);
        }
    }
    Ok(())
}

/// A guest that hung, panicked or complained is not.
fn may_be_run_again(run: &Run) -> bool {
    let ended = run.cases.iter().all(|case| case.verdict != Verdict::Unfinished);
    ended && run.trouble.is_empty() && !NEVER.contains(&run.binary.name.as_str())
}

fn names(run: &Run) -> Vec<String> {
    let failed = run.cases.iter().filter(|case| case.verdict == Verdict::Failed);
    failed.map(|case| case.name.clone()).collect()
}
