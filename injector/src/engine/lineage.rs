//! Marking a process tree: the kernel side follows forks from before this begins; what was there already
//! is found here and marked from the top down, until a look finds nobody new.

use std::sync::atomic::Ordering::Relaxed;

use injector_common::{
    shared::process_entry,
    thread::{COUNTED, TARGET, root_place},
};

use super::error::EngineError;
use crate::{
    kernel::installation::Installation,
    target::{Process, Procfs, TargetError, in_initial_pid_namespace},
};

/// Looks at the tree at most this often; a tree that outgrows it forks faster than it can be read, and
/// the kernel side has marked its new members anyway.
const LOOKS: usize = 32;

/// Marks `process` and all its descendants as target `number`.
pub(super) fn mark_tree(
    installation: &Installation,
    process: &Process,
    number: u32,
    procfs: &Procfs,
) -> Result<(), EngineError> {
    // The filter is by the number in the initial namespace. Elsewhere it is unknown here, so the filter
    // is opened for all, and the exact test decides.
    let numbered = in_initial_pid_namespace(procfs).unwrap_or(false);
    if !numbered {
        for entry in &installation.shared().processes {
            entry.fetch_add(1, Relaxed);
        }
    }
    mark(installation, process, number, numbered)?;
    for _ in 0..LOOKS {
        let mut new = false;
        for below in process.descendants().map_err(TargetError::from)? {
            new |= mark(installation, &below, number, numbered)?;
        }
        if !new {
            break;
        }
    }
    Ok(())
}

/// Marks one process; false if it was marked or has gone.
fn mark(
    installation: &Installation,
    process: &Process,
    number: u32,
    numbered: bool,
) -> Result<bool, EngineError> {
    let shared = installation.shared();
    let place = root_place(shared.roots.load(Relaxed) + 1);
    // A process that is counted out at its end has to be counted in by the same entry, and before, since
    // it may end at any moment.
    let flags = if numbered { TARGET | COUNTED } else { TARGET };
    let entry = &shared.processes[process_entry(process.pid())];
    if numbered {
        entry.fetch_add(1, Relaxed);
        shared.live.fetch_add(1, Relaxed);
    }
    let marked = installation.mark(process.pidfd(), place, flags, number);
    if matches!(marked, Ok(true)) {
        shared.roots.fetch_add(1, Relaxed);
    } else if numbered {
        entry.fetch_sub(1, Relaxed);
        shared.live.fetch_sub(1, Relaxed);
    }
    Ok(marked?)
}
