//! The log of `--log`: a JSON line for each injection. Lines are collected in memory and written whole by a thread of
//! their own, as many at a time as there are, so that they can be followed and yet nobody waits for a slow disk or a pipe
//! that is not read: the lease, signals and other events go on. What has no room, or cannot be written, is counted.

use std::{
    fs::File,
    io,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::BytesMut;
use injector::{engine::Record, printable::Printable};

use crate::cli::{exit::Failure, log_file::write_lines, outcome::STREAM, output::note, output_file};

/// Bytes of lines that wait: more than the ring buffer between the kernel and us holds.
const ROOM: usize = 8 << 20;

/// How long somebody who has a line waits for room, and how long not any more after that was in vain.
const PATIENCE: Duration = Duration::from_millis(200);
const HASTE: Duration = Duration::from_secs(1);

/// At the end: how long nothing may have moved before the rest is given up.
const STALLED: Duration = Duration::from_secs(1);

/// Where the injections are written, if anywhere.
pub(super) struct Log(Option<Open>);

struct Open {
    path: PathBuf,
    /// Until the thread has it.
    file: Option<File>,
    shared: Arc<Shared>,
    /// One line, used again and again.
    line: Vec<u8>,
    added: u64,
    /// Until then nobody waits for room.
    hasty: Option<Instant>,
    /// Was it said that it failed?
    told: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write, or it is over.
    work: Condvar,
    /// Something was written.
    room: Condvar,
}

#[derive(Default)]
struct State {
    /// Whole lines. The thread splits them off and writes them; what they took is used again when it has.
    waiting: BytesMut,
    /// Lines that have been written.
    written: u64,
    /// Nothing more will come.
    over: bool,
    /// The thread has ended, and why if it could not go on.
    ended: bool,
    failure: Option<io::Error>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of the thread's life.
    fn write(&self, mut file: File) {
        let end = loop {
            let state = self.state();
            let waits = |state: &mut State| state.waiting.is_empty() && !state.over;
            let mut state = self.work.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
            if state.waiting.is_empty() {
                break None;
            }
            let batch = state.waiting.split();
            drop(state);
            let progress = |lines| {
                self.state().written += lines;
                self.room.notify_all();
            };
            if let Err(error) = write_lines(&mut file, &batch, progress) {
                break Some(error);
            }
        };
        let mut state = self.state();
        (state.ended, state.failure) = (true, end);
        self.room.notify_all();
    }
}

impl Log {
    /// Makes the file, or empties it; `-` stands for stdout, and under `run`, where that is the command's, for stderr.
    pub(super) fn open(path: Option<&Path>, under_run: bool) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self(None)) };
        let file = if path == STREAM { stream(under_run)? } else { output_file::create("log", path)? };
        Ok(Self(Some(Open {
            path: path.to_owned(),
            file: Some(file),
            shared: Arc::default(),
            line: Vec::new(),
            added: 0,
            hasty: None,
            told: false,
        })))
    }

    /// Could the file be made? For a dry run, which changes nothing.
    pub(super) fn check(path: Option<&Path>) -> Result<(), Failure> {
        output_file::check("log", path.filter(|&path| path != STREAM))
    }

    /// Writes one line, some time soon.
    pub(super) fn write(&mut self, record: &Record) {
        let Some(open) = &mut self.0 else { return };
        open.line.clear();
        // Memory takes everything, and a record has nothing that JSON cannot say.
        let _ = serde_json::to_writer(&mut open.line, record);
        open.line.push(b'\n');
        open.add();
    }

    /// Hands everything to the kernel: how many lines it did not take, and why if that is an error. A reader that has
    /// gone away is none.
    pub(super) fn close(self) -> (u64, Option<Failure>) {
        let Some(open) = self.0 else { return (0, None) };
        let (lost, error) = open.close();
        let failure = |path: &Path, error: &io::Error| {
            Failure::other(
                format!(
                    "cannot write the log {}: {error}; {lost} injections are not in it",
                    Printable(path.display())
                ),
                "name a file where there is room",
            )
        };
        let error = error.filter(|(_, error)| error.kind() != io::ErrorKind::BrokenPipe);
        (lost, error.map(|(path, error)| failure(&path, &error)))
    }
}

/// Stdout or stderr once more.
fn stream(under_run: bool) -> Result<File, Failure> {
    let copy = if under_run {
        io::stderr().as_fd().try_clone_to_owned()
    } else {
        io::stdout().as_fd().try_clone_to_owned()
    };
    Ok(copy.context("cannot write the log to a stream of this process")?.into())
}

impl Open {
    fn add(&mut self) {
        // Late, so that it has the signal mask of whoever calls this.
        if let Some(file) = self.file.take() {
            let shared = Arc::clone(&self.shared);
            let begun = thread::Builder::new().name("injector-log".into()).spawn(move || shared.write(file));
            if let Err(error) = begun {
                let mut state = self.shared.state();
                (state.ended, state.failure) = (true, Some(error));
            }
        }
        self.added += 1;
        let full = |line: usize| move |state: &mut State| !state.ended && state.waiting.len() + line > ROOM;
        let is_full = full(self.line.len());
        let mut state = self.shared.state();
        if is_full(&mut state) && self.hasty.is_none_or(|end| Instant::now() >= end) {
            let waited = self.shared.room.wait_timeout_while(state, PATIENCE, is_full);
            let (found, result) = waited.unwrap_or_else(PoisonError::into_inner);
            state = found;
            self.hasty = result.timed_out().then(|| Instant::now() + HASTE);
        }
        if state.ended {
            let failed =
                state.failure.as_ref().is_some_and(|error| error.kind() != io::ErrorKind::BrokenPipe);
            if failed && !self.told {
                let error = state.failure.as_ref().map(ToString::to_string).unwrap_or_default();
                drop(state);
                note(format_args!("warning: the log can no longer be written: {error}"));
                self.told = true;
            }
        } else if !is_full(&mut state) {
            let idle = state.waiting.is_empty();
            state.waiting.extend_from_slice(&self.line);
            if idle {
                self.shared.work.notify_one();
            }
        }
    }

    /// How many lines were not written.
    fn close(self) -> (u64, Option<(PathBuf, io::Error)>) {
        let mut state = self.shared.state();
        state.over = true;
        self.shared.work.notify_one();
        while self.file.is_none() && !state.ended {
            let written = state.written;
            let stands = |state: &mut State| !state.ended && state.written == written;
            let waited = self.shared.room.wait_timeout_while(state, STALLED, stands);
            let (found, result) = waited.unwrap_or_else(PoisonError::into_inner);
            state = found;
            if result.timed_out() {
                break;
            }
        }
        (self.added - state.written, state.failure.take().map(|error| (self.path, error)))
    }
}
