//! A victim that tells the time all the while, so that it can be seen when it stood still.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};
use tempfile::NamedTempFile;

use crate::{cgroup, patience, victim};

/// Shorter ones are those of a busy machine.
pub const STILL: Duration = Duration::from_millis(750);

/// A [`victim::CLOCK`] that runs.
#[derive(Debug)]
pub struct Clock {
    child: Child,
    times: NamedTempFile,
}

/// When it told no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last time before.
    pub from: Duration,
    /// The first one after.
    pub to: Duration,
}

impl Gap {
    /// How long it was.
    pub fn length(self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

impl Clock {
    /// Starts one in the cgroup at `path`.
    pub fn start(path: &Path) -> Result<Self> {
        let times = NamedTempFile::new_in("/tmp")?;
        let mut command = Command::new(victim::CLOCK);
        command.stdin(Stdio::null()).stdout(times.reopen()?);
        let clock = Self { child: cgroup::spawn_in(path, &mut command)?, times };
        clock.ticks()?;
        Ok(clock)
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has told so far.
    pub fn times(&self) -> Result<Vec<Duration>> {
        times(self.times.path())
    }

    /// Waits until it tells the time.
    pub fn ticks(&self) -> Result<()> {
        let before = self.times()?.len();
        patience::until("the time from a clock", patience::LONG, || Ok(self.times()?.len() > before + 2))?;
        Ok(())
    }

    /// When it stood still so far, and went on.
    pub fn gaps(&self) -> Result<Vec<Gap>> {
        Ok(gaps(&self.times()?))
    }

    /// Does it stand still now?
    pub fn stands(&self) -> Result<bool> {
        let last = self.times()?.last().copied().context("it never ran")?;
        Ok(now()?.saturating_sub(last) > STILL)
    }

    /// The signal that has ended it; `None` if it runs.
    pub fn killed_by(&mut self) -> Result<Option<i32>> {
        Ok(self.child.try_wait()?.and_then(|status| status.signal()))
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The times in a file that a clock writes.
pub fn times(path: &Path) -> Result<Vec<Duration>> {
    let text = fs::read_to_string(path)?;
    // The last line may be half written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| Ok(Duration::from_nanos(line.parse()?))).collect()
}

/// Where there is nothing for longer than [`STILL`].
pub fn gaps(times: &[Duration]) -> Vec<Gap> {
    let pairs = times.windows(2).map(|pair| Gap { from: pair[0], to: pair[1] });
    pairs.filter(|gap| gap.length() > STILL).collect()
}

/// The time as a clock tells it.
pub fn now() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_BOOTTIME)?.into())
}
