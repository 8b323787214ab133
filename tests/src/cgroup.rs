//! Cgroups for the tests, which take all that is in them along when they go.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::patience;

/// Where the guest has the version 2 hierarchy, and nothing but it.
pub const MOUNT: &str = "/sys/fs/cgroup";

/// A cgroup of a test, with all below it. Dropping it kills who is in it and removes it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A fresh one at the top.
    pub fn new() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(MOUNT).join(format!("scratch-{}-{number}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("cannot make cgroup {}", path.display()))?;
        Ok(Self { path })
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the cgroups on the way to `below`, a relative path, and gives the last one's directory.
    pub fn make(&self, below: &str) -> Result<PathBuf> {
        let path = self.path.join(below);
        fs::create_dir_all(&path).with_context(|| format!("cannot make cgroup {}", path.display()))?;
        Ok(path)
    }

    /// Starts `command` in it.
    pub fn spawn(&self, command: &mut Command) -> Result<Child> {
        spawn_in(&self.path, command)
    }
}

/// Starts `command` in the cgroup at `path`: it is there before it executes.
pub fn spawn_in(path: &Path, command: &mut Command) -> Result<Child> {
    let door = path.join("cgroup.procs");
    // SAFETY: the child has one thread and writes two bytes to a file; the path was allocated before.
    unsafe { command.pre_exec(move || fs::write(&door, "0\n")) };
    command.spawn().with_context(|| format!("cannot start {command:?} in {}", path.display()))
}

/// Moves a process into the cgroup at `path`.
pub fn move_into(path: &Path, pid: u32) -> Result<()> {
    fs::write(path.join("cgroup.procs"), pid.to_string())
        .with_context(|| format!("cannot move process {pid} into {}", path.display()))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
        let removed =
            patience::until("an empty cgroup", Duration::from_secs(10), || Ok(remove(&self.path).is_ok()));
        if let Err(error) = removed {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// Removes a cgroup with all below it; an error while somebody is in one of them.
fn remove(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}
