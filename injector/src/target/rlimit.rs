//! How many files we may have open: a plan holds a descriptor or two for every function, device and
//! cgroup. A command that we start gets back the limit that we were started with.

use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

static STARTED_WITH: OnceLock<(rlim_t, rlim_t)> = OnceLock::new();

/// Raises the soft limit to the hard one. Without the right, or twice, nothing happens.
pub(crate) fn raise() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        STARTED_WITH.get_or_init(|| (soft, hard));
    }
}

/// The limits to give back, if they were changed.
pub(crate) fn started_with() -> Option<(rlim_t, rlim_t)> {
    STARTED_WITH.get().copied()
}
