//! When each sample is due: the k-th at the start plus k intervals, whatever became of those before.

use std::time::Duration;

use crate::clock::nanoseconds;

/// A fixed schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    start: u64,
    /// Nanoseconds.
    interval: f64,
}

impl Schedule {
    /// So many a second from `start` on, nanoseconds of `CLOCK_BOOTTIME`.
    pub fn per_second(start: u64, rate: f64) -> Self {
        Self { start, interval: 1e9 / rate }
    }

    /// One each `interval`.
    pub fn every(start: u64, interval: Duration) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "an interval is exact up to 104 days")]
        Self { start, interval: nanoseconds(interval) as f64 }
    }

    /// When number `number` is due; never, if the rate is 0.
    pub fn due(&self, number: u64) -> u64 {
        if self.interval.is_nan() || self.interval < 1.0 {
            return u64::MAX;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is exact up to 104 days, and what is more is never"
        )]
        let after = (number as f64 * self.interval) as u64;
        self.start.saturating_add(after)
    }

    /// When number 0 is due.
    pub const fn start(&self) -> u64 {
        self.start
    }
}
