//! The folder of a run: its name, the lock that tells that it runs, and what the experiment was.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::experiment::warden;

/// A run's folder, locked as long as this lives.
#[derive(Debug)]
pub(super) struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// Its name, and the run's.
    pub name: String,
    _lock: Option<File>,
}

impl Folder {
    /// A new one below `runs`, which is made as well.
    ///
    /// # Errors
    /// It cannot be made there.
    pub(super) fn create(runs: &Path) -> io::Result<Self> {
        fs::create_dir_all(runs)?;
        // The process's number tells two of the same second apart.
        let second = chrono::Utc::now().format("%Y%m%dT%H%M%SZ");
        let name = format!("{second}-{}", std::process::id());
        let path = runs.join(&name);
        fs::create_dir(&path)?;
        fs::create_dir_all(path.join("logs"))?;
        // Commands have other working directories.
        let path = path.canonicalize()?;
        let lock = warden::take_lock(&path)?;
        Ok(Self { path, name, _lock: lock })
    }
}

/// Seconds since 1970, for people.
pub(super) fn wall() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
