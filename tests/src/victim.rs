//! The victims: programs that note what their calls returned. Sources in tests/victims.

use std::{
    path::Path,
    process::{Child, Command},
};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::{
    board::Board,
    cgroup::Scratch,
    guest::Kernel,
    injector::{Finished, Injector},
};

/// Many processes and threads that make the same number of calls each.
pub const CALLS: &str = env!("VICTIM_CALLS");
/// One that makes calls until told to stop.
pub const STEADY: &str = env!("VICTIM_STEADY");
/// One that tells the time all the while.
pub const CLOCK: &str = env!("VICTIM_CLOCK");
/// One with children whose threads all end at the same time.
pub const EXITS: &str = env!("VICTIM_EXITS");
/// One whose second thread executes a command.
pub const TAKEOVER: &str = env!("VICTIM_TAKEOVER");
/// Everybody who can descend from a process.
pub const TREE: &str = env!("VICTIM_TREE");
/// A sender of datagrams.
pub const DATAGRAMS: &str = env!("VICTIM_DATAGRAMS");
/// A server of TCP.
pub const SERVE: &str = env!("VICTIM_SERVE");
/// A reader that comes by every road.
pub const ROADS: &str = env!("VICTIM_ROADS");
/// A server that forgets some of what it said yes to.
pub const LIAR: &str = env!("VICTIM_LIAR");
/// A server of HTTP with a law of latency and failures.
pub const SCRIPTED: &str = env!("VICTIM_SCRIPTED");
/// A client that says what it was told.
pub const VISIT: &str = env!("VICTIM_VISIT");
/// Keeps system calls from a command, as a seccomp filter of a container does.
pub const FORBID: &str = env!("VICTIM_FORBID");
/// A 64-bit program that uses the 32-bit entry.
#[cfg(target_arch = "x86_64")]
pub const INT80: &str = env!("VICTIM_INT80");
/// Makes every call that it is told, once.
#[cfg(target_arch = "x86_64")]
pub const EVERY: &str = env!("VICTIM_EVERY");
/// A 32-bit program.
#[cfg(target_arch = "x86_64")]
pub const INT80_32: &str = env!("VICTIM_INT80_32");

/// The workers of [`TREE`], in the order of the board.
pub const ROLES: [&str; 13] = [
    "the process itself",
    "a thread",
    "a child",
    "an orphan of a double fork",
    "a child with a session of its own",
    "a program executed after vfork",
    "a sibling made with CLONE_PARENT",
    "a thread of a child",
    "a child of a thread",
    "a child from before",
    "a thread of a child from before",
    "a grandchild from before",
    "a new child of a child from before",
];
/// How many of them are there before the hold is lifted.
pub const ROLES_BEFORE: u32 = 4;

/// A folder in the guest's memory for a victim to work in.
pub fn folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("victim-").tempdir_in("/tmp")?)
}

/// `program` with `words`, to note on `board`, working in `folder`.
pub fn command(program: &str, words: &[&str], board: &Board, folder: &Path) -> Result<Command> {
    let mut command = Command::new(program);
    command.args(words).stdin(board.stdin()?).current_dir(folder);
    Ok(command)
}

/// How many processes of how many threads make how many calls each.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// 0: main makes the calls itself.
    pub processes: usize,
    /// Of each process.
    pub threads: usize,
    /// Of each thread.
    pub calls: usize,
}

impl Shape {
    /// One thread, the command itself.
    pub const fn single(calls: usize) -> Self {
        Self { processes: 0, threads: 1, calls }
    }

    /// Threads altogether.
    pub fn workers(self) -> usize {
        self.processes.max(1) * self.threads
    }
}

/// A call that can be made to fail on every kernel or only on some, with its number.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// As victims and rules know it.
    pub name: &'static str,
    /// Of the native ABI.
    pub number: libc::c_long,
}

/// Passes no security hook.
pub const FSYNC: Operation = Operation { name: "fsync", number: libc::SYS_fsync };
/// Passes `security_file_permission`.
pub const READ: Operation = Operation { name: "read", number: libc::SYS_read };
/// Passes `security_file_permission`.
pub const WRITE: Operation = Operation { name: "write", number: libc::SYS_write };
/// Passes `security_file_open`.
pub const OPENAT: Operation = Operation { name: "openat", number: libc::SYS_openat };

/// What to fail on this kernel where the call does not matter: fsync if that can be, else read.
pub fn usual(kernel: Kernel) -> Operation {
    if kernel.injects_calls() { FSYNC } else { READ }
}

/// Runs [`CALLS`] under `injector run` with these options, to its end, which has to be good.
pub fn run_calls(
    options: &[String],
    operation: &str,
    shape: Shape,
    folder: &Path,
) -> Result<(Board, Finished)> {
    let board = Board::new(shape.workers(), shape.calls)?;
    let [processes, threads, calls] = [shape.processes, shape.threads, shape.calls].map(|n| n.to_string());
    let finished = Injector::new(["run"])?
        .words(options)
        .json()
        .logged()
        .command(&[CALLS, operation, &processes, &threads, &calls])
        .in_folder(board.stdin()?, folder)
        .expect(0)?;
    for worker in 0..shape.workers() {
        let made = board.results(worker)?.len();
        ensure!(made == shape.calls, "worker {worker} made {made} calls instead of {}", shape.calls);
    }
    Ok((board, finished))
}

/// A [`STEADY`] victim in a cgroup of its own.
#[derive(Debug)]
pub struct Steady {
    /// Its cgroup; killed with it.
    pub cgroup: Scratch,
    /// What it counts.
    pub board: Board,
    child: Child,
    _folder: TempDir,
}

impl Steady {
    /// Starts one that makes a call every few milliseconds, and waits for its first.
    pub fn start(operation: Operation) -> Result<Self> {
        Self::with_gap(operation, "2")
    }

    /// One that makes a call after the other.
    pub fn busy(operation: Operation) -> Result<Self> {
        Self::with_gap(operation, "0")
    }

    fn with_gap(operation: Operation, gap: &str) -> Result<Self> {
        let (cgroup, board, folder) = (Scratch::new()?, Board::new(1, 0)?, folder()?);
        let child = cgroup.spawn(&mut command(STEADY, &[operation.name, gap], &board, folder.path())?)?;
        board.next(1)?;
        Ok(Self { cgroup, board, child, _folder: folder })
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Steady {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
