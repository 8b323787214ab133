//! Why a plan could not be applied: every way, with what to do about it.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    faults::FaultError,
    kernel::{
        installation::InstallError,
        net::{PacketError, Shared},
        probe::refusal::{self, Attempt, Cause},
        syscall::AttachError,
    },
    plan::{
        Instead, PlanError,
        unsupported::{Fault, Unsupported, is_permission},
    },
    resolver::NameError,
    target::TargetError,
};

/// What went wrong between the rules and the guard.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A mechanism is not there.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The rules cannot be had.
    #[error(transparent)]
    Plan(Box<PlanError>),
    /// A host in a rule cannot be found.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The kernel refused something.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// A target is not one.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Devices could not be reached.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// What comes in is to wait where others live as well.
    #[error("the rule `{rule}` has packets wait or change that come in, and {shared}")]
    Inbound {
        /// The rule.
        rule: String,
        /// Why it is none.
        shared: Shared,
    },
    /// A cgroup's directory cannot be opened.
    #[error("cannot open the cgroup {path}: {source}")]
    Cgroup {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No randomness.
    #[error("cannot read random bytes: {0}")]
    Random(#[source] io::Error),
    /// The plan cannot be listed, or not be asked for anything.
    #[error("cannot make the maps by which others find the plan: {0}")]
    ControlChannel(#[source] io::Error),
    /// A plan that has ended cannot be changed.
    #[error("the plan has ended already")]
    Ended,
    /// Calls cannot be delayed from a program with several threads.
    #[error(
        "a plan that delays calls cannot be had in a program with several threads: it forks, and a child has the locks that \
         other threads hold"
    )]
    Threads,
    /// The events cannot be waited for.
    #[error("cannot wait for events: {0}")]
    Events(#[source] io::Error),
    /// A fault of user space cannot be had, or not be taken back.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// The thread that looks after the plan cannot be started, or has ended.
    #[error("cannot have the plan looked after by a thread: {0}")]
    Worker(#[source] io::Error),
}

/// Whose fault it is, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blame {
    /// The command line.
    Usage,
    /// This kernel.
    Kernel,
    /// The caller's rights.
    Permission,
    /// Anything else.
    Other,
}

impl From<Fault> for Blame {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Kernel => Self::Kernel,
            Fault::Right => Self::Permission,
            Fault::Machine => Self::Other,
        }
    }
}

impl EngineError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        if let Some(Cause { why, remedy, .. }) = self.refusal() {
            return format!("{why}; {remedy}");
        }
        match self {
            Self::Unsupported(cause) => cause.remedy.clone(),
            Self::Plan(error) => error.hint(),
            Self::Name(error) => error.hint(),
            Self::Install(error) => error.hint(),
            Self::Target(error) => error.hint(),
            Self::Packet(error) => error.hint(),
            Self::Inbound { shared, .. } => shared.hint().into(),
            Self::Fault(error) => error.hint(),
            Self::Cgroup { .. } => "check that it still exists and that you may read it".into(),
            Self::ControlChannel(_) => "`injector doctor` says what this kernel allows".into(),
            Self::Ended => "`injector ps` lists what lives".into(),
            Self::Threads => "have it in a process of its own: injector::child::ChildPlan".into(),
            Self::Random(_) | Self::Events(_) | Self::Worker(_) => {
                "this should not happen; please report it".into()
            }
        }
    }

    /// What this kernel can do in place of a rule, with that rule's text.
    pub fn instead(&self) -> Option<(&str, &Instead)> {
        match self {
            Self::Plan(error) => error.instead(),
            _ => None,
        }
    }

    /// The right that is missing, or the limit that was reached, where the message does not say so itself.
    fn refusal(&self) -> Option<Cause> {
        let by = |error: Option<&io::Error>, attempt| refusal::cause(error?, attempt);
        let known = match self {
            Self::Unsupported(_) | Self::Plan(_) | Self::Fault(_) => return None,
            Self::Install(InstallError::Attach(AttachError::Attach { source, .. })) => {
                refusal::crowded(source).or_else(|| refusal::cause(source, Attempt::Trace))
            }
            Self::Install(InstallError::CallDelay(step)) => refusal::cause(&step.source, Attempt::Mount),
            Self::Install(error) => by(error.system(), Attempt::Trace),
            Self::Packet(PacketError::Open { source, .. }) => refusal::cause(source, Attempt::Peek),
            Self::Packet(error) => by(error.system(), Attempt::Network),
            Self::ControlChannel(error) => refusal::cause(error, Attempt::Trace),
            _ => None,
        };
        known.or_else(|| self.system().and_then(refusal::limit))
    }

    /// The error of a system call that is behind it, however far.
    fn system(&self) -> Option<&io::Error> {
        let mut error: &(dyn std::error::Error + 'static) = self;
        loop {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            error = error.source()?;
        }
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        if let Some(Cause { fault, .. }) = self.refusal() {
            return fault.into();
        }
        let by = |error: &io::Error, other| if is_permission(error) { Blame::Permission } else { other };
        match self {
            Self::Unsupported(cause) => cause.fault.into(),
            Self::Plan(error) => error.fault().map_or(Blame::Usage, Blame::from),
            Self::Fault(error) => error.fault().map_or(Blame::Usage, Blame::from),
            Self::Target(TargetError::Name(error)) if error.is_permission() => Blame::Permission,
            Self::Target(_) | Self::Name(_) | Self::Inbound { .. } => Blame::Usage,
            Self::Install(_) | Self::Packet(_) | Self::ControlChannel(_) => Blame::Kernel,
            Self::Cgroup { source, .. } => by(source, Blame::Usage),
            Self::Random(_) | Self::Events(_) | Self::Worker(_) | Self::Ended | Self::Threads => Blame::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_neither_the_kernels_fault_nor_the_callers() {
        let reached = |number| EngineError::ControlChannel(io::Error::from_raw_os_error(number));
        assert_eq!(reached(libc::EMFILE).blame(), Blame::Other);
        assert!(reached(libc::EMFILE).hint().contains("RLIMIT_NOFILE"));
        assert_eq!(reached(libc::ENOMEM).blame(), Blame::Other);
        assert_eq!(reached(libc::EPERM).blame(), Blame::Permission);
        assert_eq!(reached(libc::EINVAL).blame(), Blame::Kernel);
        // However far behind.
        let source = io::Error::from_raw_os_error(libc::EMFILE);
        let read = crate::target::CgroupError::Read { path: "/x".into(), source };
        assert_eq!(EngineError::from(TargetError::from(read)).blame(), Blame::Other);
    }

    #[test]
    fn a_full_function_is_told() {
        let source = io::Error::from_raw_os_error(libc::E2BIG);
        let (function, backend) = ("security_file_open".into(), "hook".into());
        let error = EngineError::Install(AttachError::Attach { function, backend, source }.into());
        assert_eq!(error.blame(), Blame::Other);
        assert!(error.hint().contains("as many programs"));
    }
}
