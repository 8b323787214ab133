//! The figures as tables, in Markdown, as docs/performance.md has them.

use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::scenario::Group;

/// What a process outside the targets should pay above the empty program, at most.
const GOAL: i64 = 40;

/// What was measured in a guest.
#[derive(Default)]
pub(super) struct Figures {
    /// The kernel's.
    release: String,
    /// Instructions, by group, row, and call.
    counts: HashMap<(usize, usize, String), i64>,
}

impl Figures {
    /// Reads the lines that the guest's side prints.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let release = lines.next().context("the guest measured nothing")?.to_owned();
        let mut figures = Self { release, ..Self::default() };
        for line in lines {
            let mut words = line.split('\t');
            let mut number = || words.next()?.parse::<usize>().ok();
            let (group, row) = (number(), number());
            let (call, value) = (words.next(), words.next().and_then(|word| word.parse().ok()));
            let entry = group.zip(row).zip(call.zip(value));
            let ((group, row), (call, value)) = entry.with_context(|| format!("no figure: {line:?}"))?;
            figures.counts.insert((group, row, call.to_owned()), value);
        }
        Ok(figures)
    }

    /// One table for each call of each group.
    pub(super) fn print(&self, groups: &[Group]) -> String {
        let mut text = format!("Linux {}\n", self.release);
        for (number, group) in groups.iter().enumerate() {
            for call in group.calls {
                self.table(number, group, call, &mut text);
            }
        }
        text
    }

    fn table(&self, number: usize, group: &Group, call: &str, text: &mut String) {
        let figure = |row: usize| self.counts.get(&(number, row, call.to_owned())).copied();
        let above = |row: usize, base: usize| match (figure(row), figure(base)) {
            (Some(value), Some(base)) => format!("{:+}", value - base),
            _ => "-".to_owned(),
        };
        let width = group.rows.iter().map(|row| row.label.len()).max().unwrap_or(0);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{}: `{call}`\n", group.title);
        let goal = format!("above empty (goal: {GOAL})");
        let _ = writeln!(text, "| {:<width$} | instructions | above nothing | {goal} |", "");
        let _ = writeln!(
            text,
            "|{}|-------------:|--------------:|{}:|",
            "-".repeat(width + 2),
            "-".repeat(goal.len() + 1)
        );
        for (row, place) in group.rows.iter().zip(0..) {
            let all = figure(place).map_or_else(|| "-".to_owned(), |value| value.to_string());
            let nothing = if place > 0 { above(place, 0) } else { String::new() };
            let empty = if place > 1 { above(place, 1) } else { String::new() };
            let goal = goal.len();
            let _ = writeln!(text, "| {:<width$} | {all:>12} | {nothing:>13} | {empty:>goal$} |", row.label);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Figures;
    use crate::bench::scenario::{Machine, groups};
    use crate::kernel::Name;

    #[test]
    fn every_row_is_compared_with_the_first_two() {
        let figures = Figures::read("6.12\n0\t0\tread\t400\n0\t1\tread\t600\n0\t2\tread\t638\n").unwrap();
        let text = figures.print(&groups(Machine { kernel: Name::Debian612, preemptible: false }, ""));
        let row = text.lines().find(|line| line.contains("outside: 1 rule, 1 cgroup")).unwrap();
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!(cells[2..5], ["638", "+238", "+38"]);
    }

    #[test]
    fn what_is_no_figure_is_an_error() {
        assert!(Figures::read("6.12\n0\t0\tread\n").is_err());
        assert!(Figures::read("6.12\npanic\n").is_err());
    }
}
