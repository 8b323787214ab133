//! A line for somebody who waits: what for, how long it takes as a rule, and how long it has taken so far.

use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// Does `work` under a line that moves; where the output is no terminal, the line stands still.
pub(crate) fn step<T>(what: &str, usual: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let (line, start) = (ProgressBar::new_spinner(), Instant::now());
    line.set_style(ProgressStyle::with_template("{spinner} waiting for {msg}: {elapsed}")?);
    line.set_message(format!("{what} (usually {usual})"));
    if line.is_hidden() {
        println!("...    waiting for {what} (usually {usual})");
    }
    line.enable_steady_tick(Duration::from_millis(200));
    let outcome = work();
    line.finish_and_clear();
    let verdict = if outcome.is_ok() { "ok    " } else { "FAILED" };
    println!("{verdict} {what} ({} s)", start.elapsed().as_secs());
    outcome
}
