//! Reading a journal. The last line of a runner that lost its power may be torn.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::experiment::journal::{Moment, writer::FILE};

/// A journal that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It is not there, or may not be read.
    #[error("cannot read the journal {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line that is no record.
    #[error("line {line} of {} is no record of a journal: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
}

impl JournalError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "name the folder of a run, such as injector-runs/20261127T101500Z-1f3a",
            Self::Record { .. } => "read it with the version that wrote it; the first record has its name",
        }
    }
}

/// All records of a run's folder.
///
/// # Errors
/// [`JournalError`]: there is no journal, or a line other than the last one is no record.
pub fn read(folder: &Path) -> Result<Vec<Moment>, JournalError> {
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(JournalError::Read { path, source }),
    };
    parse(&text).map_err(|(line, source)| JournalError::Record { path, line, source })
}

fn parse(text: &str) -> Result<Vec<Moment>, (usize, serde_json::Error)> {
    let whole = text.ends_with('\n');
    let lines = text.lines().count();
    let mut moments = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(moment) => moments.push(moment),
            Err(_) if number + 1 == lines && !whole => break,
            Err(error) => return Err((number + 1, error)),
        }
    }
    Ok(moments)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::experiment::journal::{Moment, Phase, Record};

    #[test]
    fn a_torn_last_line_is_left_out_and_another_is_refused() {
        let moments = [
            Moment { at: 5, record: Record::Phase { phase: Phase::Before } },
            Moment { at: 6, record: Record::Finished },
        ];
        let mut text: String =
            moments.iter().map(|moment| serde_json::to_string(moment).unwrap_or_default() + "\n").collect();
        assert_eq!(parse(&text).ok().as_deref(), Some(moments.as_slice()));
        text.truncate(text.len() - 4);
        assert_eq!(parse(&text).ok().as_deref(), Some(&moments[..1]));
        text.push('\n');
        assert_eq!(parse(&text).err().map(|(line, _)| line), Some(2));
    }
}
