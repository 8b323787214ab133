//! The file that the process of a plan writes each fault to.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
};

use crate::{
    child::message::Reply,
    engine::{Blame, Record},
};

/// A file of faults, a line of JSON each.
pub(super) struct Log {
    file: File,
    line: Vec<u8>,
}

impl Log {
    /// The file, to whose end is written.
    pub(super) fn open(path: &Path) -> Result<Self, Reply> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|error| Reply::Refused {
            message: format!("cannot write the log of faults {}: {error}", path.display()),
            hint: "name a file in a folder that can be written to".to_owned(),
            blame: Blame::Other,
        })?;
        Ok(Self { file, line: Vec::new() })
    }

    /// Writes a fault. One that cannot be written is not told of; the counters have it.
    pub(super) fn write(&mut self, record: &Record) {
        self.line.clear();
        if serde_json::to_writer(&mut self.line, record).is_ok() {
            self.line.push(b'\n');
            let _ = self.file.write_all(&self.line);
        }
    }
}
