//! Descriptors that the runtime waits for.

use std::{io, os::fd::OwnedFd};

use tokio::io::{Interest, unix::AsyncFd};

/// Lets the current tokio runtime watch a descriptor for reading. To be called inside one.
pub(crate) fn readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: asks that `as_raw_fd` goes on to give the same open descriptor until the registration
    // ends; an OwnedFd gives its own and closes it only when the AsyncFd lets go of it.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE)? })
}
