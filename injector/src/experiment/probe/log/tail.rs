//! What is new in a file that others write, also when it is moved away and begun anew, or cut.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

use crate::experiment::lines::Lines;

/// A place in a file, behind what has been read.
pub(super) struct Tail {
    path: PathBuf,
    open: Option<Open>,
    lines: Lines,
}

struct Open {
    file: File,
    identity: (u64, u64),
    position: u64,
}

impl Tail {
    /// At its end. If there is no such file, at the beginning of the one to come.
    pub(super) fn at_the_end_of(path: PathBuf) -> Self {
        let open = Open::new(&path).and_then(|mut open| {
            open.position = open.file.seek(SeekFrom::End(0))?;
            Ok(open)
        });
        Self { path, open: open.ok(), lines: Lines::default() }
    }

    /// Gives the lines that have been completed since the last time.
    pub(super) fn read(&mut self, mut line: impl FnMut(&[u8])) -> io::Result<()> {
        let there = fs::metadata(&self.path).map(|metadata| (metadata.dev(), metadata.ino()));
        if let Some(open) = &mut self.open {
            open.read(&mut self.lines, &mut line)?;
        }
        let there = there?;
        if self.open.as_ref().is_none_or(|open| open.identity != there) {
            self.lines.clear();
            self.open.insert(Open::new(&self.path)?).read(&mut self.lines, &mut line)?;
        }
        Ok(())
    }
}

impl Open {
    fn new(path: &PathBuf) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(Self { file, identity: (metadata.dev(), metadata.ino()), position: 0 })
    }

    fn read(&mut self, lines: &mut Lines, line: &mut impl FnMut(&[u8])) -> io::Result<()> {
        if self.file.metadata()?.len() < self.position {
            self.position = self.file.seek(SeekFrom::Start(0))?;
            lines.clear();
        }
        let mut piece = vec![0; 1 << 16];
        loop {
            let length = self.file.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            self.position += length as u64;
            lines.take(&piece[..length], &mut *line);
        }
    }
}
