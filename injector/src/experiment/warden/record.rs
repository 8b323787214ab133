//! Records at the end of a journal: one write for each, so that several writers do not mix.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    clock,
    experiment::journal::{Moment, Record},
};

/// A journal that is open for more.
#[derive(Debug)]
pub(super) struct JournalFile {
    path: PathBuf,
    file: File,
}

impl JournalFile {
    /// Opens it, and makes it where it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Ends a line that was cut off, as by a disk that was full.
    pub(super) fn mend(&self) -> io::Result<()> {
        let mut file = &self.file;
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
    }

    /// Writes that this happened now.
    pub(super) fn append(&self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Moment { at: clock::now(), record: record.clone() })?;
        line.push(b'\n');
        (&self.file).write_all(&line)
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
