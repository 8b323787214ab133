//! The board: a file that a victim maps from its descriptor 0 and notes in what each of its calls
//! returned. The layout is that of tests/victims/board.h.

use std::{fs::File, os::unix::fs::FileExt, process::Stdio, time::Duration};

use anyhow::{Context, Result};

use crate::patience;

const HEADER: u64 = 64;
const WORKER: u64 = 16;
/// What stands for a call that was not made; no call returns it.
const NOT_MADE: i64 = i64::MIN;

/// A board for some workers of a fixed number of calls each.
#[derive(Debug)]
pub struct Board {
    file: File,
    workers: u64,
    calls: u64,
}

/// What `steady` has counted so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Calls that returned what they should.
    pub succeeded: u64,
    /// Calls that failed.
    pub failed: u64,
    /// What the latest failure returned, a negative errno; 0 if there was none.
    pub error: i64,
}

/// Who a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    /// In its own pid namespace.
    pub pid: u32,
    /// In its own pid namespace.
    pub tid: u32,
}

impl Board {
    /// An empty one; victims start at once.
    pub fn new(workers: usize, calls: usize) -> Result<Self> {
        let file = tempfile::tempfile().context("cannot make a board")?;
        let (workers, calls) = (workers as u64, calls as u64);
        let board = Self { file, workers, calls };
        let empty = NOT_MADE.to_le_bytes().repeat(usize::try_from(workers * calls)?);
        board.file.write_all_at(&empty, board.record(0, 0))?;
        // A victim without records maps the header and its worker all the same.
        board.file.write_all_at(&[0; 16], HEADER + (workers - 1) * WORKER)?;
        Ok(board)
    }

    /// The same, but victims wait until [`Board::release`].
    pub fn held(workers: usize, calls: usize) -> Result<Self> {
        let board = Self::new(workers, calls)?;
        board.file.write_all_at(&1u32.to_le_bytes(), 0)?;
        Ok(board)
    }

    /// What a victim, or the `injector run` that starts it, gets as its descriptor 0.
    pub fn stdin(&self) -> Result<Stdio> {
        Ok(self.file.try_clone()?.into())
    }

    /// Lets the workers go on.
    pub fn release(&self) -> Result<()> {
        Ok(self.file.write_all_at(&0u32.to_le_bytes(), 0)?)
    }

    /// Ends a `steady`.
    pub fn stop(&self) -> Result<()> {
        Ok(self.file.write_all_at(&1u32.to_le_bytes(), 4)?)
    }

    /// Waits until so many workers have come to their start.
    pub fn wait_ready(&self, workers: u32) -> Result<()> {
        patience::until("the victim's start", patience::LONG, || Ok(self.word(8)? >= workers))?;
        Ok(())
    }

    /// Waits until all workers have made all their calls.
    pub fn wait_done(&self) -> Result<Duration> {
        patience::until("the victim's end", 3 * patience::LONG, || {
            Ok(u64::from(self.word(12)?) >= self.workers)
        })
    }

    /// What `steady` has counted.
    pub fn tally(&self) -> Result<Tally> {
        let mut bytes = [0; 24];
        self.file.read_exact_at(&mut bytes, 16)?;
        let [succeeded, failed, error] = [0, 8, 16].map(|at| long(&bytes, at));
        Ok(Tally { succeeded: succeeded.cast_unsigned(), failed: failed.cast_unsigned(), error })
    }

    /// Waits until `steady` has made so many more calls, and gives what became of those.
    pub fn next(&self, calls: u64) -> Result<Tally> {
        let before = self.tally()?;
        let mut now = before;
        patience::until("calls of the victim", patience::LONG, || {
            now = self.tally()?;
            Ok(now.succeeded + now.failed >= before.succeeded + before.failed + calls)
        })?;
        let (succeeded, failed) = (now.succeeded - before.succeeded, now.failed - before.failed);
        Ok(Tally { succeeded, failed, error: now.error })
    }

    /// Waits until the calls of `steady` fail; gives the time it took.
    pub fn wait_faults(&self, limit: Duration) -> Result<Duration> {
        patience::until("a failed call", limit, || Ok(self.next(3)?.failed > 0))
    }

    /// Waits until the calls of `steady` fail no longer; gives the time it took.
    pub fn wait_relief(&self, limit: Duration) -> Result<Duration> {
        patience::until("calls without faults", limit, || Ok(self.next(5)?.failed == 0))
    }

    /// Who a worker is.
    pub fn worker(&self, worker: usize) -> Result<Worker> {
        let at = HEADER + worker as u64 * WORKER;
        Ok(Worker { pid: self.word(at)?, tid: self.word(at + 4)? })
    }

    /// What each call of a worker returned, a negative errno for one that failed, in order; calls that
    /// were not made are left out.
    pub fn results(&self, worker: usize) -> Result<Vec<i64>> {
        let mut bytes = vec![0; usize::try_from(self.calls * 8)?];
        self.file.read_exact_at(&mut bytes, self.record(worker as u64, 0))?;
        Ok((0..bytes.len())
            .step_by(8)
            .map(|at| long(&bytes, at))
            .filter(|&value| value != NOT_MADE)
            .collect())
    }

    /// The failed calls of a worker: the number, from 1, and the errno.
    pub fn failures(&self, worker: usize) -> Result<Vec<(usize, i32)>> {
        let failed = |(at, value): (usize, i64)| {
            (value < 0).then(|| (at + 1, i32::try_from(-value).unwrap_or(i32::MAX)))
        };
        Ok(self.results(worker)?.into_iter().enumerate().filter_map(failed).collect())
    }

    fn record(&self, worker: u64, call: u64) -> u64 {
        HEADER + self.workers * WORKER + (worker * self.calls + call) * 8
    }

    fn word(&self, at: u64) -> Result<u32> {
        let mut bytes = [0; 4];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(u32::from_le_bytes(bytes))
    }
}

/// Victims run on the tests' own machine: little endian, as all that BPF is built for here.
fn long(bytes: &[u8], at: usize) -> i64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    i64::from_le_bytes(value)
}
