//! What services say: files that they write to themselves, so that a runner that stalls does not stop them.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use regex::bytes::Regex;

/// How much of its end is looked at for the last lines.
const END: u64 = 16 * 1024;

/// Opens a log for a service to add to.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// The last `count` lines.
pub(super) fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
        let mut end = Vec::new();
        file.read_to_end(&mut end)?;
        Ok(end)
    };
    let end = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&end);
    let mut lines: Vec<_> = text.lines().rev().take(count).map(str::to_owned).collect();
    lines.reverse();
    lines
}

/// Waits for a line of a log, from its end on.
#[derive(Debug)]
pub(super) struct Watcher {
    path: PathBuf,
    from: u64,
    /// A line that has not ended yet.
    rest: Vec<u8>,
}

impl Watcher {
    /// For what comes from now on.
    pub(super) fn new(path: &Path) -> Self {
        let from = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        Self { path: path.to_path_buf(), from, rest: Vec::new() }
    }

    /// Whether a line that came since the last look, and is whole, matches.
    pub(super) fn look(&mut self, line: &Regex) -> io::Result<bool> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.from))?;
        self.from += file.read_to_end(&mut self.rest)? as u64;
        let Some(end) = self.rest.iter().rposition(|&byte| byte == b'\n') else { return Ok(false) };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        Ok(whole.split(|&byte| byte == b'\n').any(|one| line.is_match(one)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_are_seen_once_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web");
        let mut log = open(&path).unwrap();
        log.write_all(b"ready from the last time\n").unwrap();
        let (ready, mut watcher) = (Regex::new("^ready").unwrap(), Watcher::new(&path));
        assert!(!watcher.look(&ready).unwrap());
        log.write_all(b"starting\nrea").unwrap();
        assert!(!watcher.look(&ready).unwrap());
        log.write_all(b"dy").unwrap();
        assert!(!watcher.look(&ready).unwrap(), "it may go on with `never`");
        log.write_all(b"\nmore").unwrap();
        assert!(watcher.look(&ready).unwrap());
        assert!(!watcher.look(&ready).unwrap());
        assert_eq!(last_lines(&path, 2), ["ready", "more"]);
        assert_eq!(last_lines(&folder.path().join("none"), 2), Vec::<String>::new());
    }
}
