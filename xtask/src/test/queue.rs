//! Runs that wait for a guest. The kernels come one by one, since one of them is built: those that are here are used
//! while the others are on their way.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::binaries::Binary;
use super::placement;
use crate::kernel::{Kernel, Name};

/// A binary that is to run on a kernel, and the modules of it that run elsewhere.
pub(super) struct Waiting<'a> {
    pub(super) kernel: Kernel,
    pub(super) binary: &'a Binary,
    pub(super) left_out: Vec<&'static str>,
}

/// What has come so far and was not taken yet.
#[derive(Default)]
struct State<'a> {
    waiting: Vec<Waiting<'a>>,
    /// Those that run when all others have ended.
    alone: Vec<Waiting<'a>>,
    complete: bool,
}

/// Filled by one thread, emptied by several.
pub(super) struct Queue<'a> {
    binaries: &'a [Binary],
    /// All kernels of this test, also those that have not come.
    names: &'a [Name],
    state: Mutex<State<'a>>,
    changed: Condvar,
}

impl<'a> Queue<'a> {
    pub(super) fn new(binaries: &'a [Binary], names: &'a [Name]) -> Self {
        Self { binaries, names, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Adds what runs on this kernel.
    pub(super) fn add(&self, kernel: &Kernel) {
        let runs = self.binaries.iter().filter_map(|binary| {
            let left_out = placement::left_out(&binary.name, kernel.name, self.names)?;
            Some(Waiting { kernel: kernel.clone(), binary, left_out })
        });
        let mut state = self.lock();
        for run in runs {
            let alone = placement::ALONE.contains(&run.binary.name.as_str());
            if alone { state.alone.push(run) } else { state.waiting.push(run) }
        }
        // What takes longest begins first, so that it does not run alone at the end.
        state
            .waiting
            .sort_by_key(|run| (run.kernel.name.architecture().is_host(), placement::rank(&run.binary.name)));
        self.changed.notify_all();
    }

    /// No other kernel comes.
    pub(super) fn complete(&self) {
        self.lock().complete = true;
        self.changed.notify_all();
    }

    /// The next run, which is waited for; `None` when all have been taken.
    pub(super) fn next(&self) -> Option<Waiting<'a>> {
        let empty = |state: &mut State<'_>| state.waiting.is_empty() && !state.complete;
        let mut state = self.changed.wait_while(self.lock(), empty).unwrap_or_else(PoisonError::into_inner);
        (!state.waiting.is_empty()).then(|| state.waiting.remove(0))
    }

    /// Those that need a machine of their own, once nothing else runs.
    pub(super) fn take_alone(&self) -> Vec<Waiting<'a>> {
        std::mem::take(&mut self.lock().alone)
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
