//! Why a fault cannot be had or taken back, with what to do about it.

use std::{error::Error, io, path::PathBuf};

use crate::{
    kernel::{
        installation::InstallError,
        net::{PacketError, Shared},
        probe::refusal::{self, Attempt, Cause},
        sleep::Lost,
        syscall::AttachError,
    },
    plan::unsupported::{Fault, Unsupported, is_permission},
    printable::Printable,
    target::TargetError,
};

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// A mechanism is not there.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// One that a rule needs is not there.
    #[error("the rule `{rule}` cannot be had: {cause}")]
    Missing {
        /// The rule.
        rule: String,
        /// What is missing.
        cause: Unsupported,
    },
    /// The kernel refused something.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// Devices could not be reached.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// What comes in is to wait where others live as well.
    #[error("the rule `{rule}` delays or changes packets that come in, and {shared}")]
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
    /// All processes of the machine would stand still.
    #[error("the rule `{rule}` cannot pause the root cgroup, which has no freezer")]
    Root {
        /// The rule.
        rule: String,
    },
    /// The injector would stand still itself.
    #[error("the rule `{rule}` would pause injector itself, which is in the {target}")]
    Itself {
        /// The rule.
        rule: String,
        /// The target.
        target: String,
    },
    /// The machine would stand still.
    #[error("the rule `{rule}` would pause process 1 of this machine, which is in the {target}")]
    Init {
        /// The rule.
        rule: String,
        /// The target.
        target: String,
    },
    /// A target cannot be looked at.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A plan that has ended cannot be changed.
    #[error("the plan has ended already")]
    Ended,
    /// Calls can no longer be delayed.
    #[error(transparent)]
    DelaysLost(#[from] Lost),
    /// A system call failed.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// Some of it is still there.
    #[error("{}", Printable(.0))]
    Remains(String),
}

impl FaultError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        if let Some(Cause { why, remedy, .. }) = self.refusal() {
            return format!("{why}; {remedy}");
        }
        match self {
            Self::Unsupported(cause) | Self::Missing { cause, .. } => cause.remedy.clone(),
            Self::Install(error) => error.hint(),
            Self::Packet(error) => error.hint(),
            Self::Inbound { shared, .. } => shared.hint().into(),
            Self::Cgroup { .. } => "check that it still exists and that you may read it".into(),
            Self::Root { .. } => "name a cgroup below it".into(),
            Self::Itself { .. } => {
                "start injector in another cgroup, as with `systemd-run --scope injector …`".into()
            }
            Self::Init { .. } => "name a cgroup below it, or add --unsafe if that is what you want".into(),
            Self::Target(error) => error.hint(),
            Self::Ended => "`injector ps` lists what lives".into(),
            Self::DelaysLost(_) => "apply the plan again".into(),
            Self::System { .. } => String::new(),
            Self::Remains(_) => "`injector recover` tries it again".into(),
        }
    }

    /// The right that is missing, or the limit that was reached, where the message does not say so itself.
    pub(crate) fn refusal(&self) -> Option<Cause> {
        let by = |error: Option<&io::Error>, attempt| refusal::cause(error?, attempt);
        let known = match self {
            Self::Unsupported(_) | Self::Missing { .. } => return None,
            Self::Install(InstallError::Attach(AttachError::Attach { source, .. })) => {
                refusal::crowded(source).or_else(|| refusal::cause(source, Attempt::Trace))
            }
            Self::Install(InstallError::CallDelay(step)) => refusal::cause(&step.source, Attempt::Mount),
            Self::Install(error) => by(error.system(), Attempt::Trace),
            Self::Packet(PacketError::Open { source, .. }) => refusal::cause(source, Attempt::Peek),
            Self::Packet(error) => by(error.system(), Attempt::Network),
            Self::System { source, .. } => refusal::cause(source, Attempt::Mount),
            _ => None,
        };
        known.or_else(|| behind(self).and_then(refusal::limit))
    }

    /// Whose fault it is; the user's if nobody else's.
    pub fn fault(&self) -> Option<Fault> {
        if let Some(Cause { fault, .. }) = self.refusal() {
            return Some(fault);
        }
        match self {
            Self::Unsupported(cause) | Self::Missing { cause, .. } => Some(cause.fault),
            Self::Target(TargetError::Name(error)) if error.is_permission() => Some(Fault::Right),
            Self::Cgroup { source, .. } | Self::System { source, .. } if is_permission(source) => {
                Some(Fault::Right)
            }
            Self::Install(_) | Self::Packet(_) => Some(Fault::Kernel),
            Self::Inbound { .. }
            | Self::Cgroup { .. }
            | Self::Root { .. }
            | Self::Itself { .. }
            | Self::Init { .. }
            | Self::Target(_) => None,
            Self::Ended | Self::DelaysLost(_) | Self::System { .. } | Self::Remains(_) => {
                Some(Fault::Machine)
            }
        }
    }
}

/// The error of a system call that is behind another one, however far.
pub(crate) fn behind<'a>(mut error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    loop {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        error = error.source()?;
    }
}
