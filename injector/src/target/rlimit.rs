//! How many files we may have open: a plan holds a descriptor or two for every function, device and
//! cgroup. A command that we start gets back the limit that we were started with.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::OnceLock,
};

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

static STARTED_WITH: OnceLock<(rlim_t, rlim_t)> = OnceLock::new();

/// Raises the soft limit to the hard one. Without the right, or twice, nothing happens. A library does not change its
/// process of its own accord: whoever has plans with many calls or targets does it first.
pub fn raise() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        STARTED_WITH.get_or_init(|| (soft, hard));
    }
}

/// The limits to give back, if they were changed.
pub(crate) fn started_with() -> Option<(rlim_t, rlim_t)> {
    STARTED_WITH.get().copied()
}

/// Whether `count` more files can be opened.
///
/// # Errors
///
/// `EMFILE` or `ENFILE` if they cannot; whatever else the kernel says to the copy of a descriptor.
pub fn has_room_for(count: usize) -> io::Result<()> {
    let stderr = io::stderr();
    let copies: io::Result<Vec<OwnedFd>> = (0..count).map(|_| stderr.as_fd().try_clone_to_owned()).collect();
    copies.map(drop)
}
