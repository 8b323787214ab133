//! Why a fault of user space cannot be had or taken back, with what to do about it.

use std::io;

use crate::{
    kernel::{
        installation::InstallError,
        probe::refusal::{self, Attempt},
    },
    plan::unsupported::{Fault, Unsupported, is_permission},
    printable::Printable,
    target::TargetError,
};

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The kernel has no such thing.
    #[error("the rule `{rule}` cannot be had: {cause}")]
    Unsupported {
        /// The rule.
        rule: String,
        /// What is missing.
        cause: Unsupported,
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
    /// The plan's installation cannot be used.
    #[error(transparent)]
    Install(#[from] InstallError),
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
        match self {
            Self::Unsupported { cause, .. } => cause.remedy.clone(),
            Self::Root { .. } => "name a cgroup below it".into(),
            Self::Itself { .. } => {
                "start injector in another cgroup, as with `systemd-run --scope injector …`".into()
            }
            Self::Init { .. } => "name a cgroup below it, or add --unsafe if that is what you want".into(),
            Self::Target(error) => error.hint(),
            Self::Install(error) => error.hint(),
            Self::System { source, .. } => refusal::cause(source, Attempt::Mount)
                .map_or_else(String::new, |cause| format!("{}; {}", cause.why, cause.remedy)),
            Self::Remains(_) => "`injector recover` tries it again".into(),
        }
    }

    /// Whose fault it is; the user's if nobody else's.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Unsupported { cause, .. } => Some(cause.fault),
            Self::Root { .. } | Self::Itself { .. } | Self::Init { .. } | Self::Target(_) => None,
            Self::System { source, .. } if is_permission(source) => Some(Fault::Right),
            Self::Install(_) => Some(Fault::Kernel),
            Self::System { .. } | Self::Remains(_) => Some(Fault::Machine),
        }
    }
}
