//! Undoing: the same for the runner, its warden, and `injector recover`. It may be done twice, and nothing but cgroups
//! is ever touched: what is to be undone can come from a file.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{
    experiment::journal::Undo,
    target::{
        cgroup::vanished,
        hierarchy::{Kind, kind_of},
        run_cgroup::remove_tree,
    },
};

/// How long killed processes may take to end: one in the middle of writing to a disk takes as long as the disk.
const PATIENCE: Duration = Duration::from_secs(10);

/// Names of cgroups that may be removed with all in them begin so.
pub(crate) const OURS: &str = "injector-";

/// Undoes an act. What is gone is undone.
///
/// # Errors
/// The kernel refuses it, processes do not end, or it is no cgroup that is named.
pub fn undo(undo: &Undo) -> io::Result<()> {
    let done = match undo {
        Undo::RemoveCgroup(path) => removable(path).and_then(|()| remove(path)),
        Undo::Thaw(path) => cgroup(path).and_then(|()| write(&path.join("cgroup.freeze"), "0")),
        Undo::Write { file, content } => {
            cgroup(file.parent().unwrap_or(file)).and_then(|()| write(file, content))
        }
    };
    match done {
        Err(error) if vanished(&error) => Ok(()),
        done => done,
    }
}

/// What undoing it does, for people.
pub(crate) fn meaning(undo: &Undo) -> String {
    match undo {
        Undo::RemoveCgroup(path) => format!("the cgroup {}", path.display()),
        Undo::Thaw(path) => format!("the pause of {}", path.display()),
        Undo::Write { file, content } => format!("the change of {} (to `{content}`)", file.display()),
    }
}

fn cgroup(path: &Path) -> io::Result<()> {
    match kind_of(path)? {
        Kind::Version2 => Ok(()),
        _ => Err(io::Error::other(format!("{} is no version 2 cgroup", path.display()))),
    }
}

fn removable(path: &Path) -> io::Result<()> {
    cgroup(path)?;
    let name = path.file_name().and_then(|name| name.to_str());
    if name.is_some_and(|name| name.starts_with(OURS)) {
        return Ok(());
    }
    Err(io::Error::other(format!("{} was not made by injector", path.display())))
}

/// Kills everybody in it and below, and removes it.
fn remove(path: &Path) -> io::Result<()> {
    let start = Instant::now();
    loop {
        write(&path.join("cgroup.kill"), "1")?;
        match remove_tree(path) {
            // Those who were killed are still about to end.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && start.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(2));
            }
            done => return done,
        }
    }
}

/// Writes into a file that is there.
pub(crate) fn write(file: &Path, content: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(file)?.write_all(content.as_bytes())
}
