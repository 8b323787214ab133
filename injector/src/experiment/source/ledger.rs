//! `ledger-LOAD.csv`: each operation of a load, a line each, from which anybody can count again what the report says.
//!
//! A line is written at once, so it outlives the runner. Lines come in the order in which operations ended.

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use crate::experiment::sample::{Outcome, Sample};

/// A ledger that is being written.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    acknowledged: BTreeSet<u64>,
}

impl Ledger {
    /// Begins `ledger-LOAD.csv` in a folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(folder: &Path, load: &str) -> io::Result<Self> {
        let path = folder.join(format!("ledger-{load}.csv"));
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
        file.write_all(b"n,due,start,end,outcome\n")?;
        Ok(Self { file, acknowledged: BTreeSet::new() })
    }

    /// Writes the line of a sample: `7,1000,1010,2000,ok`, or in place of `ok` the reason.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, sample: &Sample) -> io::Result<()> {
        let Sample { number, due, start, end, outcome } = sample;
        let outcome = match outcome {
            Outcome::Good(_) => {
                self.acknowledged.insert(*number);
                "ok".to_owned()
            }
            Outcome::Bad(reason) => quoted(reason),
        };
        self.file.write_all(format!("{number},{due},{start},{end},{outcome}\n").as_bytes())
    }

    /// The numbers of the good ones so far: what the system has said it has done.
    pub const fn acknowledged(&self) -> &BTreeSet<u64> {
        &self.acknowledged
    }
}

/// As RFC 4180 has it.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
