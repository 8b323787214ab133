//! `cargo xtask bench delay`: how long calls take that were to take so long. Times of an emulated processor
//! on a busy machine are upper bounds; that no call is early holds anywhere.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::kernel::{self, Name};
use crate::vm::{Ending, Guest, Streams};
use crate::{build, checkout};

const LIMIT: Duration = Duration::from_mins(10);

const SCRIPT: &str = include_str!("delay.py");

/// How exactly calls are delayed, and what a delay costs in processor time. Prints a table
#[derive(Args)]
pub(super) struct Delay {
    /// The kernel: with error injection fsync is delayed, else openat
    #[arg(long, value_enum, default_value = "fault-injection")]
    kernel: Name,
    /// Boot with preempt=full
    #[arg(long)]
    preempt_full: bool,
    /// Measure with the injector that is there, without building it
    #[arg(long)]
    no_build: bool,
}

impl Delay {
    pub(super) fn run(self) -> Result<()> {
        if !self.no_build {
            build::all(true)?;
        }
        let mut guest = Guest::new(kernel::ready(self.kernel)?);
        guest.name = format!("bench-delay-{}", self.kernel);
        guest.limit = LIMIT;
        guest.directory = checkout::root();
        guest.streams = Streams::Capture;
        if self.preempt_full {
            guest.append.push("preempt=full".to_owned());
        }
        let injector = checkout::target().join("release/injector").display().to_string();
        let outcome = guest.run(&["python3", "-c", SCRIPT, injector.as_str()].map(str::to_owned))?;
        if !outcome.good() {
            let how = match &outcome.ending {
                Ending::Exited(code) => format!("exit code {code}"),
                other => format!("{other:?}"),
            };
            let (said, trouble) = (String::from_utf8_lossy(&outcome.stderr), outcome.trouble.join("\n"));
            bail!("the measurement on {} failed ({how}): {said}{trouble}", self.kernel);
        }
        println!("{}", table(&String::from_utf8_lossy(&outcome.stdout))?);
        Ok(())
    }
}

/// What the script found, as a table of the documentation.
fn table(found: &str) -> Result<String> {
    let mut lines = vec![
        "| asked | median | 99 of 100 | processor, the thread | processor, the server |".to_owned(),
        "|---:|---:|---:|---:|---:|".to_owned(),
    ];
    for line in found.lines() {
        let numbers: Option<Vec<f64>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
        let numbers = numbers.with_context(|| format!("`{line}` is no line of figures"))?;
        let [asked, median, high, thread, server] = numbers[..] else {
            bail!("`{line}` is no line of figures")
        };
        lines.push(format!(
            "| {} | {} | {} | {thread:.0} us | {server:.0} us |",
            time(asked / 1000.0),
            time(median),
            time(high)
        ));
    }
    Ok(lines.join("\n"))
}

/// Microseconds, in the unit that fits.
fn time(microseconds: f64) -> String {
    match microseconds {
        small if small < 1000.0 => format!("{small:.0} us"),
        medium if medium < 1_000_000.0 => format!("{:.2} ms", medium / 1000.0),
        large => format!("{:.4} s", large / 1_000_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn a_line_of_figures_is_a_row() {
        let rows = table("500000 711.2 1200.0 90.4 60.0\n1000000000 1000300.0 1000900 100 50\n").unwrap();
        assert!(rows.contains("| 500 us | 711 us | 1.20 ms | 90 us | 60 us |"), "{rows}");
        assert!(rows.contains("| 1.0000 s | 1.0003 s | 1.0009 s | 100 us | 50 us |"), "{rows}");
        assert!(table("what is this").is_err());
    }
}
