//! What is left of runs whose runner and warden were both killed, as systemd does with all processes of a unit: their
//! journals say what was to be undone, and a lock on a run's folder whether it still runs.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, SystemTime},
};

use rustix::fs::{FlockOperation, flock};

use crate::{
    clock,
    experiment::{
        journal::{FILE, Moment, Record, Undo, Writer},
        warden::undo::{meaning, undo},
    },
};

/// What was found and done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// What was undone.
    pub undone: Vec<String>,
    /// What could not be, and why.
    pub failed: Vec<String>,
    /// Some of that for want of a right.
    pub forbidden: bool,
}

/// Takes the lock on a run's folder, which tells everybody that it runs, for as long as the file is open; `None` if
/// somebody has it.
///
/// # Errors
/// The folder cannot be opened or locked.
pub fn take_lock(folder: &Path) -> io::Result<Option<File>> {
    let file = File::open(folder)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Undoes what runs with a folder in `runs` have left, and those only that do not run. Of a folder that is not there, nothing
/// is left. `runs` may be a run's folder itself.
pub fn recover(runs: &Path) -> Recovered {
    let mut recovered = Recovered::default();
    if runs.join(FILE).exists() {
        recovered.run(runs);
        return recovered;
    }
    match fs::read_dir(runs) {
        Ok(entries) => {
            let folders = entries.filter_map(Result::ok).map(|entry| entry.path());
            folders.filter(|folder| folder.join(FILE).exists()).for_each(|folder| recovered.run(&folder));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => recovered.fail(&format!("cannot look for runs in {}", runs.display()), &error),
    }
    recovered
}

impl Recovered {
    fn run(&mut self, folder: &Path) {
        let run = folder.display();
        let unseen = format!("cannot see what the run {run} left");
        match left_of(folder) {
            Ok(None) => {}
            Ok(Some((mut journal, left, _lock))) => {
                for one in left.iter().rev() {
                    match undo(one) {
                        Ok(()) => {
                            self.undone.push(format!("{}, of the run {run}", meaning(one)));
                            let record = Record::Undone { undo: one.clone() };
                            if let Err(error) = journal.write(&Moment { at: clock::now(), record }) {
                                self.fail(&unseen, &error);
                            }
                        }
                        Err(error) => {
                            let what = meaning(one);
                            self.fail(&format!("cannot undo {what}, of the run {run}"), &error);
                        }
                    }
                }
            }
            Err(error) => self.fail(&unseen, &error),
        }
    }

    fn fail(&mut self, what: &str, error: &io::Error) {
        let forbidden = error.kind() == io::ErrorKind::PermissionDenied;
        self.forbidden |= forbidden;
        let remedy =
            if forbidden { "run it as root" } else { "try it again, and look at the folder's journal" };
        self.failed.push(format!("{what}: {error}; {remedy}"));
    }
}

/// A run's journal, what is left to undo, and the lock on its folder; `None` if nothing is, or if it runs.
fn left_of(folder: &Path) -> io::Result<Option<(Writer, Vec<Undo>, File)>> {
    let path = folder.join(FILE);
    let left = left_in(&fs::read(&path)?);
    if left.is_empty() {
        return Ok(None);
    }
    let metadata = fs::metadata(&path)?;
    if metadata.modified()? < booted() {
        // Nothing outlives the kernel, and names of cgroups can be those of others by now.
        return Ok(None);
    }
    // What it says is done with our rights, so it must be ours.
    if metadata.uid() != nix::unistd::geteuid().as_raw() {
        return Err(io::Error::other("its journal belongs to another user"));
    }
    let Some(lock) = take_lock(folder)? else { return Ok(None) };
    // The runner can have ended, and the warden done its work, since it was read.
    let left = left_in(&fs::read(&path)?);
    let mut journal = Writer::open(folder)?;
    journal.mend()?;
    Ok(Some((journal, left, lock)))
}

/// When the machine was booted, as file systems tell the time.
fn booted() -> SystemTime {
    let since = Duration::from_nanos(clock::now());
    SystemTime::now().checked_sub(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// What a journal says will have to be undone and was not, in its order. Lines that are cut off say nothing.
pub(super) fn left_in(journal: &[u8]) -> Vec<Undo> {
    let mut left = Vec::new();
    for line in journal.split(|&byte| byte == b'\n') {
        match serde_json::from_slice::<Moment>(line).map(|moment| moment.record) {
            Ok(Record::Will { undo }) => left.push(undo),
            Ok(Record::Undone { undo }) => {
                if let Some(at) = left.iter().rposition(|one| *one == undo) {
                    left.remove(at);
                }
            }
            _ => {}
        }
    }
    left
}
