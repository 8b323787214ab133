//! Waiting for something to become true, with an end.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(5);

/// Software emulation on a busy machine: nothing that ever comes takes longer.
pub const LONG: Duration = Duration::from_mins(1);

/// Waits until `holds`; gives the time it took. `what` completes "never came:".
pub fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> Result<bool>) -> Result<Duration> {
    let start = Instant::now();
    loop {
        if holds()? {
            return Ok(start.elapsed());
        }
        if start.elapsed() > limit {
            bail!("after {:.1} s, this never came: {what}", limit.as_secs_f64());
        }
        thread::sleep(STEP);
    }
}
