//! The call table and the slot table, mapped: a plan changes while calls are made, and one store of a word
//! is what a call sees wholly or not at all. The kernel's own update of an array's element promises no
//! such thing: it is a memcpy (kernel/bpf/arraymap.c, `array_map_update_elem`).

use std::{
    io,
    os::fd::BorrowedFd,
    sync::atomic::{
        AtomicU64,
        Ordering::{Relaxed, Release},
    },
};

use injector_common::call::{CALL_ENTRIES, CallRules, Slot};

use crate::kernel::bpf::mapped::Mapped;

/// Words of an entry of the call table: a run for each end of the call, and what hooks need.
const ENTRY: usize = size_of::<CallRules>() / 8;
/// The runs among them, which come first.
const RUNS: usize = 2;
/// Words of a slot.
const SLOT: usize = size_of::<Slot>() / 8;

/// Both tables of one plan.
#[derive(Debug)]
pub(crate) struct Tables {
    calls: Mapped<[AtomicU64]>,
    slots: Mapped<[AtomicU64]>,
}

impl Tables {
    /// Maps them; `slots` is how many the slot table has.
    pub(crate) fn map(calls: BorrowedFd<'_>, table: BorrowedFd<'_>, slots: u32) -> io::Result<Self> {
        Ok(Self {
            calls: Mapped::<[_]>::map(calls, CALL_ENTRIES as usize * ENTRY)?,
            slots: Mapped::<[_]>::map(table, slots as usize * SLOT)?,
        })
    }

    /// Writes slots from `base` on, where no call looks yet.
    pub(crate) fn write(&self, base: u32, slots: &[Slot]) {
        let words = slots.iter().flat_map(|&slot| bytemuck::cast::<_, [u64; SLOT]>(slot));
        for (cell, word) in self.slots.iter().skip(base as usize * SLOT).zip(words) {
            cell.store(word, Relaxed);
        }
    }

    /// From here on calls at this entry meet the rules of its new runs, each end by a store of its own: a rule
    /// is at one end only.
    pub(crate) fn point(&self, entry: u32, rules: CallRules) {
        let words: [u64; ENTRY] = bytemuck::cast(rules);
        let cells = || self.calls.iter().skip(entry as usize * ENTRY).zip(words);
        // Which hooks decide depends on nothing but the call. First, so that a hook that sees the new run
        // sees them, and never back to none, since one may be looking at the old run.
        for (cell, word) in cells().skip(RUNS).filter(|(_, word)| *word != 0) {
            cell.store(word, Relaxed);
        }
        for (cell, word) in cells().take(RUNS) {
            cell.store(word, Release);
        }
    }
}
