//! The clock that the programs read: it goes on while the machine sleeps, so a deadline is a deadline.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// `CLOCK_BOOTTIME`, nanoseconds.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
    nanoseconds(time)
}

/// A length of time as the programs count it; what does not fit is forever.
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
