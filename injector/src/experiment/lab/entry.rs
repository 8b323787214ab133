//! How a command comes to its place between fork and exec: into a cgroup, namespaces and a folder, in a session of its own,
//! as a user. Not one instruction of it runs outside.

use std::{
    ffi::CString,
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    sync::Arc,
};

use nix::{
    sched::{CloneFlags, setns},
    sys::resource::{Resource, rlim_t, setrlimit},
    unistd::{chdir, setsid},
};
use tokio::process::Command;

use crate::{
    experiment::lab::home::Home,
    kernel::net::NetNs,
    target::{Identity, rlimit},
};

/// Added to an errno for each step that it can be of; real ones are below 4096 (`MAX_ERRNO`, include/linux/err.h).
const STEP: i32 = 1 << 16;
/// The steps, from 1 on.
const STEPS: [&str; 5] =
    ["enter its cgroup", "enter its network", "enter its mounts", "enter its folder", "become its user"];

/// All that is needed on the way, opened before.
#[derive(Debug)]
pub(super) struct Entry {
    door: File,
    network: Option<Arc<NetNs>>,
    mounts: Option<Arc<OwnedFd>>,
    folder: CString,
    identity: Option<Identity>,
    files: Option<(rlim_t, rlim_t)>,
}

impl Entry {
    /// Into a service's places, with the user's rights if there is one.
    ///
    /// # Errors
    /// The cgroup is gone, or may not be entered.
    pub(super) fn new(home: &Home, identity: Option<Identity>) -> io::Result<Self> {
        let door = OpenOptions::new().write(true).open(home.cgroup.join("cgroup.procs"));
        Ok(Self {
            door: door.map_err(|error| marked(error.raw_os_error(), 1))?,
            network: home.namespaces.network.clone(),
            mounts: home.namespaces.mounts.clone(),
            folder: CString::new(home.folder.as_os_str().as_bytes())?,
            identity,
            files: rlimit::started_with(),
        })
    }

    /// Has `command` come this way.
    pub(super) fn lead(self, command: &mut Command) {
        // SAFETY: between fork and exec only async-signal-safe calls are allowed: `enter` makes system calls and allocates
        // nothing; what it needs is open and lives as long as the command.
        unsafe { command.pre_exec(move || self.enter()) };
    }

    fn enter(&self) -> io::Result<()> {
        let of = |step| move |errno: nix::Error| marked(Some(errno as i32), step);
        // SAFETY: one byte that lives through the call; `0` stands for the writer.
        let written = unsafe { libc::write(self.door.as_raw_fd(), b"0".as_ptr().cast(), 1) };
        if written != 1 {
            return Err(of(1)(nix::Error::last()));
        }
        if let Some(network) = &self.network {
            setns(network.as_fd(), CloneFlags::CLONE_NEWNET).map_err(of(2))?;
        }
        if let Some(mounts) = &self.mounts {
            setns(mounts, CloneFlags::CLONE_NEWNS).map_err(of(3))?;
        }
        // With our rights, as the folder of a run need not be in sight of its services' users.
        chdir(&*self.folder).map_err(of(4))?;
        if let Some((soft, hard)) = self.files {
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
        }
        // Not that of a terminal, whose Ctrl-C is for the runner.
        setsid()?;
        if let Some(identity) = &self.identity {
            identity.take().map_err(|error| marked(error.raw_os_error(), 5))?;
        }
        Ok(())
    }
}

/// An error that says of which step it is.
fn marked(code: Option<i32>, step: i32) -> io::Error {
    io::Error::from_raw_os_error(code.unwrap_or(libc::EIO) + step * STEP)
}

/// What a failed start means: "cannot … `program`: why".
pub(super) fn meaning(error: &io::Error, program: &str) -> String {
    let code = error.raw_os_error().unwrap_or_default();
    let step = usize::try_from(code / STEP).unwrap_or_default();
    match step.checked_sub(1).and_then(|step| STEPS.get(step)) {
        Some(what) => format!("cannot {what}: {}", io::Error::from_raw_os_error(code % STEP)),
        None if code == libc::ENOENT => format!("cannot be started: there is no program `{program}`"),
        None => format!("cannot be started: `{program}`: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::experiment::namespaces::Namespaces;

    #[test]
    fn a_failed_start_says_at_which_step() {
        let said = |code| meaning(&io::Error::from_raw_os_error(code), "redis-server");
        assert_eq!(said(libc::ENOENT), "cannot be started: there is no program `redis-server`");
        assert_eq!(
            said(4 * STEP + libc::ENOENT),
            "cannot enter its folder: No such file or directory (os error 2)"
        );
        assert!(said(libc::EACCES).starts_with("cannot be started: `redis-server`: Permission denied"));
        assert!(said(5 * STEP + libc::EPERM).starts_with("cannot become its user: Operation not permitted"));
    }

    #[test]
    fn whoever_cannot_enter_says_so() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cgroup.procs"), "").unwrap();
        let none = folder.path().join("none");
        let home = Home {
            namespaces: Namespaces::default(),
            cgroup: none.clone(),
            address: Ipv4Addr::LOCALHOST.into(),
            folder: none.clone(),
            log: none,
        };
        let missing = Entry::new(&home, None).unwrap_err();
        assert_eq!(meaning(&missing, "x"), "cannot enter its cgroup: No such file or directory (os error 2)");
        let nowhere = Entry::new(&Home { cgroup: folder.path().into(), ..home }, None).unwrap();
        let refused = nowhere.enter().unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(4 * STEP + libc::ENOENT));
    }
}
