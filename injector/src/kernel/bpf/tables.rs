//! The call table and the slot table, mapped: a plan changes while calls are made, and one store of a word
//! is what a call sees wholly or not at all. The kernel's own update of an array's element promises no
//! such thing: it is a memcpy (kernel/bpf/arraymap.c, `array_map_update_elem`).

use std::{
    io,
    num::NonZeroUsize,
    os::fd::BorrowedFd,
    ptr::NonNull,
    sync::atomic::{
        AtomicU64,
        Ordering::{Relaxed, Release},
    },
};

use injector_common::call::{CALL_ENTRIES, CallRules, Slot};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// Words of an entry of the call table: a run for each end of the call, and what hooks need.
const ENTRY: usize = size_of::<CallRules>() / 8;
/// The runs among them, which come first.
const RUNS: usize = 2;
/// Words of a slot.
const SLOT: usize = size_of::<Slot>() / 8;

/// Both tables of one plan.
#[derive(Debug)]
pub(crate) struct Tables {
    calls: Words,
    slots: Words,
}

impl Tables {
    /// Maps them; `slots` is how many the slot table has.
    pub(crate) fn map(calls: BorrowedFd<'_>, table: BorrowedFd<'_>, slots: u32) -> io::Result<Self> {
        Ok(Self {
            calls: Words::map(calls, CALL_ENTRIES as usize * ENTRY)?,
            slots: Words::map(table, slots as usize * SLOT)?,
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

/// An array map of words, made with `BPF_F_MMAPABLE`.
#[derive(Debug)]
pub(crate) struct Words {
    start: NonNull<AtomicU64>,
    count: usize,
}

// SAFETY: the words are atomics, and the mapping is not bound to a thread.
unsafe impl Send for Words {}
// SAFETY: as above.
unsafe impl Sync for Words {}

impl Words {
    /// Maps the first `count` words.
    pub(crate) fn map(map: BorrowedFd<'_>, count: usize) -> io::Result<Self> {
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice; the kernel checks that the map is at
        // least this large (`array_map_mmap`).
        let address = unsafe { mmap(None, length(count), protection, MapFlags::MAP_SHARED, map, 0)? };
        Ok(Self { start: address.cast(), count })
    }

    /// One of them.
    pub(crate) fn get(&self, nth: usize) -> Option<&AtomicU64> {
        self.iter().nth(nth)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &AtomicU64> {
        // SAFETY: mapped until drop, aligned to a page, and every bit pattern is a value.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }.iter()
    }
}

fn length(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count * 8).unwrap_or(NonZeroUsize::MIN)
}

impl Drop for Words {
    fn drop(&mut self) {
        // SAFETY: our own mapping; nothing refers to it any more.
        if let Err(error) = unsafe { munmap(self.start.cast(), length(self.count).get()) } {
            tracing::warn!(%error, "cannot unmap a table");
        }
    }
}
