//! The table of those who sleep, as user space has it mapped.

use std::{
    io,
    os::fd::BorrowedFd,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Release},
    },
    thread,
    time::Duration,
};

use injector_common::sleep::{SLEEP_SLOTS, SleepSlot, slot_at};

use crate::kernel::bpf::mapped::Mapped;

/// Words of a slot: the thread, then the delay.
const WORDS: usize = size_of::<SleepSlot>() / 8;

/// The table of sleep slots, mapped.
#[derive(Debug)]
pub(super) struct Slots(Mapped<[AtomicU64]>);

impl Slots {
    /// Maps the table, an array map that can be mapped.
    pub(super) fn map(table: BorrowedFd<'_>) -> io::Result<Self> {
        Mapped::<[_]>::map(table, SLEEP_SLOTS as usize * WORDS).map(Self)
    }

    /// How long who has the slot at this offset is to sleep; 0 if nobody has it.
    pub(super) fn delay_at(&self, offset: u64) -> u64 {
        let word = |nth: usize| Some(self.0.get(slot_at(offset)? * WORDS + nth)?.load(Acquire));
        if word(0).is_none_or(|thread| thread == 0) { 0 } else { word(1).unwrap_or(0) }
    }

    /// Takes a slot for a thread that does not sleep by a program; 0 gives it back.
    pub(super) fn take(&self, slot: usize, thread: u64, delay: u64) {
        for (nth, word) in [delay, thread].into_iter().enumerate() {
            if let Some(cell) = self.0.get(slot * WORDS + 1 - nth) {
                cell.store(word, Release);
            }
        }
    }

    /// Waits until nobody sleeps, but not longer than `limit`.
    pub(super) fn left(&self, limit: Duration) {
        const STEP: Duration = Duration::from_millis(2);
        let mut waited = Duration::ZERO;
        while !self.are_empty() && waited < limit {
            thread::sleep(STEP);
            waited += STEP;
        }
    }

    /// Is nobody in the table?
    fn are_empty(&self) -> bool {
        self.0.iter().step_by(WORDS).all(|thread| thread.load(Acquire) == 0)
    }
}
