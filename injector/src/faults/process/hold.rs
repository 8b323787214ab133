//! A target that stands still: a cgroup by its freezer, which nobody in it can notice, or a process tree by SIGSTOP, which
//! its parent is told of. It goes on when the hold is dropped.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::process::{Signal, pidfd_send_signal};

use crate::{
    faults::process::{
        mark::{self, Held, Name},
        victims::{Spared, of_tree},
    },
    target::{Cgroup, Process},
};

/// Somebody who stands still as long as this lives.
#[derive(Debug)]
pub(super) struct Hold {
    directory: OwnedFd,
    name: Name,
    over: bool,
}

impl Hold {
    /// Freezes a cgroup with all below it; `None` if somebody else has, who is left alone.
    ///
    /// The kernel does it within a few milliseconds (kernel/cgroup/freezer.c, `cgroup_freeze`), and for those who come
    /// later, too.
    pub(super) fn freeze(cgroup: &Cgroup, name: Name) -> io::Result<Option<Self>> {
        if mark::is_frozen(cgroup.as_fd())? {
            return Ok(None);
        }
        let hold = Self::begin(cgroup.as_fd(), name, &Held::Cgroup)?;
        mark::write(cgroup.as_fd(), c"cgroup.freeze", "1")?;
        Ok(Some(hold))
    }

    /// Stops a process tree, parents first; `None` if nobody in it runs. Who was stopped already is left alone. The mark
    /// is at the cgroup `root`, which nobody can remove.
    pub(super) fn stop(
        tree: &Process,
        name: Name,
        root: &Path,
        spared: &Spared,
    ) -> Result<Option<Self>, HoldError> {
        /// Children that are born meanwhile are found by another look; who forks faster than this is not.
        const LOOKS: usize = 16;
        let directory = File::open(root)?;
        let mut hold = None;
        let mut known = BTreeSet::new();
        let mut those = Vec::new();
        for _ in 0..LOOKS {
            let new: Vec<_> = of_tree(tree, spared)?
                .into_iter()
                .filter(|process| known.insert((process.pid(), process.started())) && !process.was_stopped())
                .collect();
            if new.is_empty() {
                break;
            }
            those.extend(new.iter().map(|process| (process.pid(), process.started())));
            let marked = Held::Processes(those.clone());
            match &hold {
                None => hold = Some(Self::begin(directory.as_fd(), name, &marked)?),
                Some(_) => mark::set(directory.as_fd(), &name, &marked)?,
            }
            for process in &new {
                match pidfd_send_signal(process.pidfd(), Signal::STOP) {
                    Err(error) if error != rustix::io::Errno::SRCH => {
                        return Err(io::Error::from(error).into());
                    }
                    _ => {}
                }
            }
        }
        Ok(hold)
    }

    /// Marked first: whatever happens from here on, it is found and undone.
    fn begin(directory: BorrowedFd<'_>, name: Name, held: &Held) -> io::Result<Self> {
        let directory = directory.try_clone_to_owned()?;
        mark::set(directory.as_fd(), &name, held)?;
        Ok(Self { directory, name, over: false })
    }

    /// Is its mark still there? Whoever goes by the marks has undone it if not.
    pub(super) fn is_marked(&self) -> bool {
        mark::exists(self.directory.as_fd(), &self.name)
    }

    /// Has them go on.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.over = true;
        mark::undo(self.directory.as_fd(), &self.name)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.over
            && let Err(error) = mark::undo(self.directory.as_fd(), &self.name)
        {
            tracing::warn!(%error, "cannot end a pause");
        }
    }
}

/// Why a process tree cannot be stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum HoldError {
    #[error(transparent)]
    Target(#[from] crate::target::TargetError),
    #[error(transparent)]
    System(#[from] io::Error),
}
