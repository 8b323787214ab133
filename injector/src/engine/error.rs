//! Why a plan could not be applied: every way, with what to do about it.

use std::io;

use serde::{Deserialize, Serialize};

use crate::{
    faults::{FaultError, behind},
    kernel::{
        installation::InstallError,
        net::PacketError,
        probe::refusal::{self, Attempt, Cause},
    },
    plan::{
        Instead, PlanError,
        unsupported::{Fault, Unsupported},
    },
    policy::PolicyError,
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
    /// A target is not one.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The machine's policy forbids it.
    #[error(transparent)]
    Policy(Box<PolicyError>),
    /// No randomness.
    #[error("cannot read random bytes: {0}")]
    Random(#[source] io::Error),
    /// The plan cannot be listed, or not be asked for anything.
    #[error("cannot make the maps by which others find the plan: {0}")]
    ControlChannel(#[source] io::Error),
    /// A plan that has ended cannot be changed.
    #[error("the plan has ended already")]
    Ended,
    /// The rules are to stay as they are.
    #[error(
        "the rules of the plan {plan} cannot be changed: it was begun with --fixed, to keep no rights for that"
    )]
    Fixed {
        /// The plan.
        plan: String,
    },
    /// Calls cannot be delayed from a program with several threads.
    #[error(
        "a plan that delays calls cannot be had in a program with several threads: it forks, and a child has the locks that \
         other threads hold"
    )]
    Threads,
    /// The events cannot be waited for.
    #[error("cannot wait for events: {0}")]
    Events(#[source] io::Error),
    /// A fault cannot be had, or not be taken back.
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
            Self::Target(error) => error.hint(),
            Self::Policy(error) => error.hint(),
            Self::Fault(error) => error.hint(),
            Self::ControlChannel(_) => "`injector doctor` says what this kernel allows".into(),
            Self::Ended => "`injector ps` lists what lives".into(),
            Self::Fixed { plan } => format!(
                "`injector stop {plan}` ends it; begin another without --fixed. Another end (`change {plan} --for TIME`), \
                 `pause` and `resume` work"
            ),
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
        let known = match self {
            Self::Unsupported(_) | Self::Plan(_) | Self::Policy(_) => return None,
            Self::Fault(error) => return error.refusal(),
            Self::ControlChannel(error) => refusal::cause(error, Attempt::Trace),
            _ => None,
        };
        known.or_else(|| behind(self).and_then(refusal::limit))
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        if let Some(Cause { fault, .. }) = self.refusal() {
            return fault.into();
        }
        match self {
            Self::Unsupported(cause) => cause.fault.into(),
            Self::Plan(error) => error.fault().map_or(Blame::Usage, Blame::from),
            Self::Fault(error) => error.fault().map_or(Blame::Usage, Blame::from),
            Self::Target(TargetError::Name(error)) if error.is_permission() => Blame::Permission,
            Self::Target(_) | Self::Name(_) | Self::Policy(_) | Self::Fixed { .. } => Blame::Usage,
            Self::ControlChannel(_) => Blame::Kernel,
            Self::Random(_) | Self::Events(_) | Self::Worker(_) | Self::Ended | Self::Threads => Blame::Other,
        }
    }
}

impl From<PolicyError> for EngineError {
    fn from(error: PolicyError) -> Self {
        Self::Policy(Box::new(error))
    }
}

impl From<InstallError> for EngineError {
    fn from(error: InstallError) -> Self {
        FaultError::from(error).into()
    }
}

impl From<PacketError> for EngineError {
    fn from(error: PacketError) -> Self {
        FaultError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::syscall::AttachError;

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
        let error = EngineError::from(InstallError::from(AttachError::Attach { function, backend, source }));
        assert_eq!(error.blame(), Blame::Other);
        assert!(error.hint().contains("as many programs"));
    }
}
