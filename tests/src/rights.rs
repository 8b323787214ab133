//! The capabilities of an injector that lives, and what the documentation says of them.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};

use crate::patience;

const TABLE: &str = include_str!("../../docs/containers.md");

/// For all threads to give up theirs, on an emulated machine that others use as well.
const SLACK: Duration = Duration::from_secs(2);

/// Those that the table names (include/uapi/linux/capability.h).
const BITS: [(&str, u32); 9] = [
    ("CAP_DAC_OVERRIDE", 1),
    ("CAP_DAC_READ_SEARCH", 2),
    ("CAP_KILL", 5),
    ("CAP_NET_ADMIN", 12),
    ("CAP_SYS_PTRACE", 19),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_SYS_NICE", 23),
    ("CAP_PERFMON", 38),
    ("CAP_BPF", 39),
];

/// What rows of the table say, by how they begin.
pub fn documented(rows: &[&str]) -> Result<u64> {
    let mut all = 0;
    for row in rows {
        let mut lines = TABLE.lines().filter_map(|line| line.strip_prefix("| ")?.strip_prefix(row));
        let rest = lines.next().with_context(|| format!("no row `{row}`"))?;
        let kept = rest.split('|').nth(1).with_context(|| format!("half a row: {rest}"))?;
        for word in kept.split('`').filter(|word| word.starts_with("CAP_")) {
            let (_, bit) = BITS.iter().find(|(name, _)| *name == word).context(word.to_owned())?;
            all |= 1 << bit;
        }
    }
    Ok(all)
}

/// A field of a status, a number in hexadecimal digits.
pub fn field(status: &str, name: &str) -> Result<u64> {
    let text = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(u64::from_str_radix(text.with_context(|| format!("no {name}"))?.trim(), 16)?)
}

/// The status of every thread of a process.
pub fn threads(pid: u32) -> Result<Vec<String>> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))?;
    // One that has ended meanwhile has none.
    Ok(tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok()).collect())
}

/// Waits until no thread of a process has any other capability than `rights`, and all of them have these.
pub fn keeps(pid: u32, rights: u64) -> Result<()> {
    let mut last = Vec::new();
    let kept = patience::until("a process without rights", SLACK, || {
        last = threads(pid)?;
        let keeps =
            |status: &String| Ok(field(status, "CapPrm")? == rights && field(status, "NoNewPrivs")? == 1);
        let all: Result<Vec<bool>> = last.iter().map(keeps).collect();
        Ok(all?.into_iter().all(|keeps| keeps))
    });
    kept.with_context(|| format!("{rights:x} of process {pid}: {last:#?}"))?;
    ensure!(!last.is_empty(), "process {pid} has no thread");
    for status in &last {
        for (name, expected) in [("CapEff", rights), ("CapBnd", rights), ("CapInh", 0), ("CapAmb", 0)] {
            ensure!(field(status, name)? == expected, "{name} is not {expected:x}: {status}");
        }
    }
    Ok(())
}
