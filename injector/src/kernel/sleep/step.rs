//! The step at which something about call delays failed.

use std::io;

/// What could not be done.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {source}")]
pub struct Step {
    what: &'static str,
    /// Why not.
    pub source: io::Error,
}

/// The step at which a container that lacks the device fails.
pub(super) const OPEN_DEVICE: &str = "open the device /dev/fuse";

impl Step {
    /// Is it that there is no device, or that it may not be opened?
    pub(in super::super) fn is_at_device(&self) -> bool {
        let absent = [libc::ENOENT, libc::ENXIO, libc::ENODEV, libc::EPERM, libc::EACCES];
        self.what == OPEN_DEVICE && self.source.raw_os_error().is_some_and(|error| absent.contains(&error))
    }
}

pub(super) fn at<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> Step {
    move |source| Step { what, source: source.into() }
}
