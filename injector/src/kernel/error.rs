//! What can go wrong when a plan is put into the kernel.

use std::io;

use aya::maps::MapError;

use crate::kernel::{
    bpf::{btf::BtfError, loader::ObjectError},
    sleep,
    syscall::AttachError,
};

/// Why a plan could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The object or one of its programs.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A program could not be attached.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The kernel's types lack something.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// A system call failed.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// A tracepoint is not there.
    #[error("the kernel has no tracepoint {0}")]
    NoTracepoint(&'static str),
    /// The helpers that make calls wait could not be started.
    #[error("cannot delay calls: {0}")]
    CallDelay(#[from] sleep::Step),
    /// aya could not use a map.
    #[error("cannot use the map of events: {0}")]
    Events(#[from] MapError),
}

impl InstallError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Object(error) | Self::Attach(AttachError::Load(error)) => error.hint().into(),
            Self::Attach(AttachError::Attach { .. } | AttachError::NoFunction(_))
            | Self::Btf(_)
            | Self::System { .. }
            | Self::NoTracepoint(_)
            | Self::CallDelay(_)
            | Self::Events(_) => "`injector doctor` says what this kernel allows".into(),
        }
    }

    /// The error of the system call behind it, if there is one.
    pub fn system(&self) -> Option<&io::Error> {
        match self {
            Self::Object(error) | Self::Attach(AttachError::Load(error)) => error.source_error(),
            Self::Attach(AttachError::Attach { source, .. }) | Self::System { source, .. } => Some(source),
            Self::CallDelay(step) => Some(&step.source),
            _ => None,
        }
    }
}

/// An error of the system call by which `what` was tried.
pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> InstallError {
    move |source| InstallError::System { what: what.into(), source }
}
