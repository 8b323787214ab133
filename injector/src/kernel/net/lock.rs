//! Keeps other injectors from changing qdiscs and filters of a network namespace meanwhile. The kernel removes a qdisc
//! with all that was added since it was seen empty; and a handle that was freed is given to the next filter.
//!
//! It is a lock on the namespace's own file, so it needs no folder that all of them see, and goes with whoever has it.

use std::{
    fs::File,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

/// How long [`Lock::take`] waits for another injector. One that holds it for longer was stopped.
const PATIENCE: Duration = Duration::from_secs(2);

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(Option<File>);

impl Lock {
    /// Takes that of the thread's namespace. Without one where the kernel has no file locks (`CONFIG_FILE_LOCKING`), or
    /// where it cannot be had in time.
    pub(super) fn take() -> Self {
        let Ok(file) = File::open("/proc/thread-self/ns/net") else { return Self(None) };
        let end = Instant::now() + PATIENCE;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Self(Some(file)),
                Err(Errno::WOULDBLOCK) if Instant::now() < end => thread::sleep(Duration::from_millis(2)),
                Err(error) => {
                    tracing::debug!(%error, "no lock on the network namespace");
                    return Self(None);
                }
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Said, and not left to the end of the file: a process that was forked meanwhile has it, too.
        if let Some(file) = &self.0 {
            let _ = flock(file, FlockOperation::Unlock);
        }
    }
}
