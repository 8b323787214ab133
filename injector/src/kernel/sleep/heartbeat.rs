//! A page that the injector and its helpers share: the server's heartbeat, and where the sleep slots are.

use std::{
    io,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
    time::Duration,
};

use injector_common::RULE_NUMBERS;
use nix::time::{ClockId, clock_gettime};

use crate::kernel::bpf::mapped::{Mapped, Shareable};

/// How often the server's heart beats at least.
pub(super) const BEAT: Duration = Duration::from_millis(200);

/// A server whose heart has not beaten for so long is taken for dead. Shorter, and one is taken for dead that
/// only did not get a processor: 200 threads that wake at once have kept it from one for two seconds.
pub(super) const STALLED: Duration = Duration::from_secs(4);

/// Somebody who looks at the heart from time to time. What counts is how often he has looked in vain, not the
/// clock: on a machine that stood still (a virtual one), everybody did.
#[derive(Debug, Default)]
pub(super) struct Observer {
    seen: u64,
    in_vain: u32,
}

impl Observer {
    /// One look, at least `period` after the last: has the heart beaten within [`STALLED`]?
    pub(super) fn sees_life(&mut self, cells: &Cells, period: Duration) -> bool {
        let beats = cells.beats.load(Relaxed);
        self.in_vain = if beats == self.seen { self.in_vain + 1 } else { 0 };
        self.seen = beats;
        period * self.in_vain < STALLED
    }
}

/// What is in it. All zero at the start.
#[derive(Debug)]
pub(super) struct Cells {
    /// How often the server has gone about its work.
    beats: AtomicU64,
    /// The address of the slots in the pager's memory, and its number in the initial pid namespace.
    address: AtomicU64,
    number: AtomicU64,
    /// The errno, if there is no mapping.
    failure: AtomicU64,
    /// Rules that have ended, a bit for each number.
    ended: [AtomicU64; RULE_NUMBERS / 64],
}

impl Cells {
    /// The server's heart beats.
    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Relaxed);
    }

    /// Rule `number` has ended.
    pub(super) fn end(&self, number: u32) {
        if let Some(word) = self.ended.get(number as usize / 64) {
            word.fetch_or(1 << (number % 64), Relaxed);
        }
    }

    /// Has it?
    pub(super) fn has_ended(&self, number: u32) -> bool {
        let word = self.ended.get(number as usize / 64);
        word.is_none_or(|word| word.load(Relaxed) >> (number % 64) & 1 == 1)
    }

    /// The pager is ready.
    pub(super) fn made(&self, number: u32, address: u64) {
        self.number.store(u64::from(number), Relaxed);
        self.address.store(address, Release);
    }

    /// The pager cannot map the slots.
    pub(super) fn failed(&self, error: &io::Error) {
        self.failure.store(u64::from(error.raw_os_error().unwrap_or(libc::EIO).unsigned_abs()), Release);
    }

    /// The pager's number and the address of the slots, once they are known.
    pub(super) fn mapping(&self) -> io::Result<Option<(u32, u64)>> {
        let failure = self.failure.load(Acquire);
        if failure != 0 {
            return Err(io::Error::from_raw_os_error(i32::try_from(failure).unwrap_or(libc::EIO)));
        }
        let address = self.address.load(Acquire);
        Ok((address != 0).then(|| (u32::try_from(self.number.load(Relaxed)).unwrap_or(0), address)))
    }
}

/// `CLOCK_MONOTONIC`, nanoseconds: it stands still while the machine does, and so do all delays.
pub(super) fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The page, mapped; shared by processes that are forked from here.
pub(super) type Heartbeat = Mapped<Cells>;

// SAFETY: all of it is atomics.
unsafe impl Shareable for Cells {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_end_one_by_one() {
        let heartbeat = Heartbeat::anonymous().unwrap();
        heartbeat.end(64);
        assert_eq!(
            [0, 63, 64, 65, 1023].map(|number| heartbeat.has_ended(number)),
            [false, false, true, false, false]
        );
        assert!(heartbeat.has_ended(1024), "there is no such rule");
    }

    #[test]
    fn who_was_looked_at_in_vain_often_enough_is_dead() {
        let (heartbeat, mut observer) = (Heartbeat::anonymous().unwrap(), Observer::default());
        let second = Duration::from_secs(1);
        for _ in 0..3 {
            heartbeat.beat();
            assert!((0..4).all(|_| observer.sees_life(&heartbeat, second)));
        }
        assert!(!observer.sees_life(&heartbeat, second));
        heartbeat.beat();
        assert!(observer.sees_life(&heartbeat, second));
    }
}
