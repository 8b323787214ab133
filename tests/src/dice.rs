//! Random moments; the seed is printed, so that a failure can be had again.

use std::time::{Duration, SystemTime};

use anyhow::Result;

/// A source of random moments with a seed.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// With a seed of this second, which it gives as well.
    pub fn new() -> Result<(Self, u64)> {
        let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        Ok((Self(seed), seed))
    }

    /// The next moment below `limit`.
    pub fn below(&mut self, limit: Duration) -> Duration {
        self.0 = injector_common::random::mix(self.0);
        Duration::from_nanos(self.0 % u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX).max(1))
    }
}
