//! The warden of a run: a process that outlives the runner for as long as it takes to undo what the kernel does not
//! undo by itself. It is told of each such act before it is done.
//!
//! If both are killed, the run's journal has the same, and [`recover`] goes by that.

mod message;
mod recover;
mod undo;
mod watch;

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::Shutdown,
    os::{fd::AsFd as _, unix::net::UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use self::message::Message;
pub(crate) use self::undo::{OURS, meaning, write};
pub use self::{
    recover::{Recovered, recover, take_lock},
    undo::undo,
};
use crate::{
    clock,
    experiment::journal::{FILE, Moment, Record, Undo, Writer},
    kernel::helper::Helper,
};

/// Where runs have their folders unless they are told another place: below the working directory.
pub const RUNS: &str = "injector-runs";

/// How long it may take to undo what is left and go.
const PATIENCE: Duration = Duration::from_secs(20);

/// The warden's process, seen from the runner. Clones are the same one; when the last is dropped, it undoes what is left.
#[derive(Clone, Debug)]
pub struct Warden(Arc<Link>);

#[derive(Debug)]
struct Link {
    stream: Mutex<UnixStream>,
    /// With its file, for whoever is told that it cannot be written.
    journal: OnceLock<(PathBuf, Mutex<Writer>)>,
    helper: Helper,
}

/// Why an act must not be done: nobody would undo it.
#[derive(Debug, thiserror::Error)]
pub enum WardenError {
    /// There is none.
    #[error("cannot start the warden, which would clean up after a runner that is killed: {0}")]
    Start(io::Error),
    /// It does not listen.
    #[error("cannot tell the warden what it would have to undo: {0}")]
    Tell(io::Error),
    /// The journal cannot be written.
    #[error("cannot write to the journal {}: {source}", .file.display())]
    Journal {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl WardenError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Start(_) => "see whether the limit of processes is reached: ulimit -u",
            Self::Tell(_) => "the process `injector-warden` was ended by somebody; run it again",
            Self::Journal { .. } => "make room on that disk, or name another folder",
        }
    }
}

impl Warden {
    /// Forks it: best before there is another thread, and before anything is open that it should not keep.
    ///
    /// # Errors
    /// [`WardenError::Start`].
    pub fn start() -> Result<Self, WardenError> {
        Self::fork().map_err(WardenError::Start)
    }

    fn fork() -> io::Result<Self> {
        let (stream, other) = UnixStream::pair()?;
        // Readable when we have ended, even if somebody else has the socket open, such as a child before its exec.
        let own = i32::try_from(std::process::id()).ok().and_then(Pid::from_raw);
        let own = pidfd_open(own.ok_or(io::ErrorKind::NotFound)?, PidfdFlags::empty())?;
        let keep = [other.as_fd(), own.as_fd()];
        let helper = Helper::outliving(c"injector-warden", &keep, || watch::watch(&other, own.as_fd()))?;
        Ok(Self(Arc::new(Link { stream: Mutex::new(stream), journal: OnceLock::new(), helper })))
    }

    /// Its number, in this pid namespace.
    pub fn pid(&self) -> u32 {
        self.0.helper.number().as_raw().unsigned_abs()
    }

    /// From here on everything is in the journal of `folder` as well, which exists: what is told, by the runner, and what
    /// was undone, by the warden if the runner is gone. Each record is one write to the file's end.
    ///
    /// # Errors
    /// The journal cannot be opened, or the warden does not listen.
    pub fn journal(&self, folder: &Path) -> Result<(), WardenError> {
        let file = folder.join(FILE);
        match Writer::open(folder) {
            Ok(writer) => drop(self.0.journal.set((file, Mutex::new(writer)))),
            Err(source) => return Err(WardenError::Journal { file, source }),
        }
        self.tell(&Message::Journal(folder.to_path_buf()))
    }

    /// Has what freezes or limits be undone at this moment (nanoseconds of `CLOCK_BOOTTIME`), even if the runner lives and
    /// has not done it: somebody has stopped it. Cgroups of a lab stay.
    ///
    /// # Errors
    /// The warden does not listen.
    pub fn deadline(&self, at: u64) -> Result<(), WardenError> {
        self.tell(&Message::Deadline(at))
    }

    /// To be called before the act: whatever happens from here on, it is undone.
    ///
    /// # Errors
    /// Neither the warden nor the journal knows of it for certain: it must not be done.
    pub fn will(&self, undo: &Undo) -> Result<(), WardenError> {
        self.record(Record::Will { undo: undo.clone() })?;
        self.tell(&Message::Will(undo.clone()))
    }

    /// It is undone, by whoever calls this.
    ///
    /// # Errors
    /// The warden, or whoever reads the journal, will undo it once more.
    pub fn undone(&self, undo: &Undo) -> Result<(), WardenError> {
        self.record(Record::Undone { undo: undo.clone() })?;
        self.tell(&Message::Undone(undo.clone()))
    }

    /// Has it undo what is left, and waits for its end; gives what it could not undo.
    pub fn finish(&self) -> Vec<String> {
        let stream = self.0.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let failed = BufReader::new(&*stream).lines().map_while(Result::ok).collect();
        drop(stream);
        self.0.wait();
        failed
    }

    fn tell(&self, message: &Message) -> Result<(), WardenError> {
        let line = message.line().map_err(WardenError::Tell)?;
        let mut stream = self.0.stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream.write_all(&line).map_err(WardenError::Tell)
    }

    fn record(&self, record: Record) -> Result<(), WardenError> {
        let Some((file, writer)) = self.0.journal.get() else { return Ok(()) };
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        let written = writer.write(&Moment { at: clock::now(), record });
        written.map_err(|source| WardenError::Journal { file: file.clone(), source })
    }
}

impl Link {
    fn wait(&self) {
        let start = Instant::now();
        while !self.helper.is_gone() && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Link {
    /// The helper is killed when it is dropped: after it has undone what was left.
    fn drop(&mut self) {
        let stream = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = stream.shutdown(Shutdown::Both);
        self.wait();
    }
}

#[cfg(test)]
mod tests;
