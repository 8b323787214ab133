//! What the runner tells its warden, a line of JSON each.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::experiment::journal::Undo;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Message {
    /// Something is about to be done that this undoes.
    Will(Undo),
    /// It is undone.
    Undone(Undo),
    /// The run's folder, in whose journal to write down what was undone.
    Journal(PathBuf),
    /// When to undo what stops or limits others, in any case.
    Deadline(u64),
}

impl Message {
    /// The line, with its end.
    pub(super) fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}
