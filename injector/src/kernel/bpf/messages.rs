//! What the programs tell of their decisions, if they do: those that `cargo xtask build --bpf-log` makes write messages
//! into a ring buffer, which are read here and said again by `tracing`, under the target `injector::bpf`.

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use aya_log::EbpfLogger;
use log::{Level, Log, Metadata, Record};

use crate::kernel::bpf::{kind::Kind, probe_programs, sys};

/// The map of messages, by the name that aya-log looks for; an ordinary object has none.
pub(super) const MAP: &str = "AYA_LOGS";

/// Bytes of it: messages of half a second, if there are not more than some 30,000.
pub(super) const SIZE: u32 = 8 << 20;

/// The variable of the object that says which messages are made at all.
pub(super) const LEVEL: &str = "AYA_LOG_LEVEL";

/// Up to which level somebody listens, by aya-log's numbers; 0 for none.
pub(super) fn level() -> u8 {
    if tracing::enabled!(target: "injector::bpf", tracing::Level::TRACE) {
        Level::Trace as u8
    } else if tracing::enabled!(target: "injector::bpf", tracing::Level::DEBUG) {
        Level::Debug as u8
    } else {
        0
    }
}

/// Messages on their way to `tracing`. Dropping it says the last ones.
pub(crate) struct Messages {
    logger: EbpfLogger<Said>,
    /// A program that has the map: aya-log finds it by that.
    _holder: OwnedFd,
}

impl Messages {
    /// Those that come through `map`, which is named [`MAP`].
    pub(crate) fn through(map: BorrowedFd<'_>) -> io::Result<Self> {
        let holder = probe_programs::load(&probe_programs::holding(map), Kind::RawTracepoint)
            .map_err(|(error, _)| error)?;
        let id = sys::program_id(holder.as_fd())?;
        let logger = EbpfLogger::init_from_id_with_logger(id, Said).map_err(io::Error::other)?;
        Ok(Self { logger, _holder: holder })
    }

    /// Says all that have come.
    pub(crate) fn say(&mut self) {
        self.logger.flush();
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.say();
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
    }
}

/// Hands each message on to `tracing`.
struct Said;

impl Log for Said {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.level() == Level::Debug {
            tracing::debug!(target: "injector::bpf", "{}", record.args());
        } else {
            tracing::trace!(target: "injector::bpf", "{}", record.args());
        }
    }

    fn flush(&self) {}
}
