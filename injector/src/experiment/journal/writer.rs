//! Writing the journal: one write(2) for each record, so that a record is there whole or not at all, whatever becomes of
//! the runner.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use crate::experiment::journal::{Moment, Record};

/// A journal that is written to. What a process has written survives its death; the disk is asked to keep it from time to
/// time, for a loss of power.
#[derive(Debug)]
pub struct Writer {
    file: File,
}

/// The journal's name in a run's folder.
pub const FILE: &str = "journal.jsonl";

impl Writer {
    /// A new journal in a run's folder.
    ///
    /// # Errors
    /// It cannot be made there; `AlreadyExists` if there is one.
    pub fn create(folder: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(folder.join(FILE))?;
        Ok(Self { file })
    }

    /// That of a run's folder, to add to it; an empty one if there is none.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(folder.join(FILE))?;
        Ok(Self { file })
    }

    /// Takes away a last line that was cut off, of which nobody will write the rest.
    ///
    /// # Errors
    /// It cannot be read, or not be cut.
    pub fn mend(&mut self) -> io::Result<()> {
        let mut text = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        if whole < text.len() { self.file.set_len(whole as u64) } else { Ok(()) }
    }

    /// Appends a record.
    ///
    /// # Errors
    /// It cannot be written: the disk is full.
    pub fn write(&mut self, moment: &Moment) -> io::Result<()> {
        let mut line = serde_json::to_vec(moment)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        if matches!(moment.record, Record::Phase { .. } | Record::Finished) {
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Asks the disk to keep what was written (fdatasync(2)).
    ///
    /// # Errors
    /// It does not.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
