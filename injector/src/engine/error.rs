//! Why a plan could not be applied: every way, with what to do about it.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    kernel::{
        Unsupported,
        installation::InstallError,
        packet::{PacketError, Shared},
        setting,
        unsupported::is_permission,
    },
    plan::PlanError,
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
    Random(io::Error),
    /// The plan cannot be listed, or not be asked for anything.
    #[error("cannot make the maps by which others find the plan: {0}")]
    Mailbox(io::Error),
    /// A plan that has ended cannot be changed.
    #[error("the plan has ended already")]
    Ended,
    /// The events cannot be waited for.
    #[error("cannot wait for events: {0}")]
    Events(io::Error),
    /// The thread that looks after the plan cannot be started, or has ended.
    #[error("cannot have the plan looked after by a thread: {0}")]
    Worker(io::Error),
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

impl EngineError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        if self.blame() == Blame::Permission && !matches!(self, Self::Unsupported(_) | Self::Plan(_)) {
            let (why, remedy) = setting::permission();
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
            Self::Cgroup { .. } => "check that it still exists and that you may read it".into(),
            Self::Mailbox(_) => "`injector doctor` says what this kernel allows".into(),
            Self::Ended => "`injector ps` lists what lives".into(),
            Self::Random(_) | Self::Events(_) | Self::Worker(_) => {
                "this should not happen; please report it".into()
            }
        }
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        let by = |error: &io::Error, other| if is_permission(error) { Blame::Permission } else { other };
        match self {
            Self::Unsupported(cause) if cause.permission => Blame::Permission,
            Self::Plan(error) if error.is_permission() => Blame::Permission,
            Self::Plan(error) if !error.is_kernel() => Blame::Usage,
            Self::Install(error) => error.system().map_or(Blame::Kernel, |error| by(error, Blame::Kernel)),
            Self::Target(_) | Self::Name(_) | Self::Inbound { .. } => Blame::Usage,
            Self::Packet(error) if error.is_permission() => Blame::Permission,
            Self::Unsupported(_) | Self::Plan(_) | Self::Packet(_) => Blame::Kernel,
            Self::Cgroup { source, .. } => by(source, Blame::Usage),
            Self::Mailbox(error) => by(error, Blame::Kernel),
            Self::Random(_) | Self::Events(_) | Self::Worker(_) | Self::Ended => Blame::Other,
        }
    }
}
