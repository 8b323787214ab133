//! Marking a process tree: the kernel side follows forks from before this begins; what was there already
//! is found here and marked from the top down, until a look finds nobody new.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use injector_common::{
    shared::process_entry,
    thread::{COUNTED, TARGET, root_position},
};

use crate::{
    faults::error::FaultError,
    kernel::installation::Handle,
    target::{Process, Procfs, TargetError, in_initial_pid_namespace},
};

/// Looks at the tree at most this often; a tree that outgrows it forks faster than it can be read, and
/// the kernel side has marked its new members anyway.
const LOOKS: usize = 32;

/// Marks `process` and all its descendants as target `number`.
pub(super) fn mark_tree(
    handle: &Handle,
    process: &Process,
    number: u32,
    procfs: &Procfs,
) -> Result<(), FaultError> {
    // The filter is by the number in the initial namespace. Elsewhere it is unknown here, so the filter
    // is opened for all, and the exact test decides.
    let numbered = in_initial_pid_namespace(procfs).unwrap_or(false);
    if !numbered {
        for entry in &handle.state().processes {
            entry.fetch_add(1, Relaxed);
        }
    }
    mark(handle, process, number, numbered)?;
    for _ in 0..LOOKS {
        let mut new = false;
        for below in process.descendants().map_err(TargetError::from)? {
            new |= mark(handle, &below, number, numbered)?;
        }
        if !new {
            break;
        }
    }
    Ok(())
}

/// Marks one process; false if it was marked or has gone.
fn mark(handle: &Handle, process: &Process, number: u32, numbered: bool) -> Result<bool, FaultError> {
    let shared = handle.state();
    let root = take_root(&shared.roots);
    // A process that is counted out at its end has to be counted in by the same entry, and before, since
    // it may end at any moment.
    let flags = if numbered { TARGET | COUNTED } else { TARGET };
    let entry = &shared.processes[process_entry(process.pid())];
    if numbered {
        entry.fetch_add(1, Relaxed);
        shared.live.fetch_add(1, Relaxed);
    }
    let marked = handle.mark(process.pidfd(), root_position(root), flags, number);
    if !matches!(marked, Ok(true)) {
        give_back(&shared.roots, root);
        if numbered {
            entry.fetch_sub(1, Relaxed);
            shared.live.fetch_sub(1, Relaxed);
        }
    }
    Ok(marked?)
}

/// The number of a new root. It is taken before the mark, since the kernel side takes numbers at the same time
/// (`subject`), and two threads of one number would draw the same.
fn take_root(roots: &AtomicU64) -> u64 {
    roots.fetch_add(1, Relaxed) + 1
}

/// Gives back a number that nobody has got, unless a later one is taken: the numbers of those who come next should
/// not depend on how often the tree was looked at.
fn give_back(roots: &AtomicU64, root: u64) {
    // If it fails, one number is never used.
    let _ = roots.compare_exchange(root, root - 1, Relaxed, Relaxed);
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, thread};

    use super::*;

    #[test]
    fn no_two_roots_have_one_number() {
        const EACH: usize = 10_000;
        let roots = AtomicU64::new(0);
        let newcomers = || (0..EACH).map(|_| roots.fetch_add(1, Relaxed) + 1).collect::<Vec<_>>();
        let marked = || {
            let mark = |nth: usize| {
                let root = take_root(&roots);
                // Half of them are marked already.
                let kept = nth.is_multiple_of(2);
                if !kept {
                    give_back(&roots, root);
                }
                kept.then_some(root)
            };
            (0..EACH).filter_map(mark).collect::<Vec<_>>()
        };
        let all: Vec<_> = thread::scope(|scope| {
            let (newcomers, marked) = (scope.spawn(newcomers), scope.spawn(marked));
            [newcomers, marked].into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(all.len(), EACH + EACH / 2);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn a_number_that_nobody_got_is_the_next_ones() {
        let roots = AtomicU64::new(7);
        let root = take_root(&roots);
        give_back(&roots, root);
        assert_eq!((root, take_root(&roots)), (8, 8));
    }
}
