//! Why a plan in a child process cannot be had, or asked.

use std::io;

use crate::{child::message::Reply, engine::Blame};

/// What went wrong with a plan in a child process.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The process could not be started.
    #[error("cannot start a process for a plan: {0}")]
    Start(io::Error),
    /// The process has ended, or says what nobody understands.
    #[error("the process of a plan does not answer: {0}")]
    Lost(io::Error),
    /// It answers something else than was asked.
    #[error("the process of a plan answers something else than was asked")]
    Confused,
    /// What was wanted cannot be had.
    #[error("{message}")]
    Refused {
        /// What failed on which object, and the cause.
        message: String,
        /// What to do.
        hint: String,
        /// Whose fault it is.
        blame: Blame,
    },
}

impl ChildError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Start(_) => "check that /proc is mounted, and RLIMIT_NPROC".into(),
            Self::Lost(_) | Self::Confused => {
                "call injector::child::serve() first in main; else see what the process has written to stderr"
                    .into()
            }
            Self::Refused { hint, .. } => hint.clone(),
        }
    }
}

impl From<Reply> for ChildError {
    /// Of a reply that does not fit.
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Refused { message, hint, blame } => Self::Refused { message, hint, blame },
            _ => Self::Confused,
        }
    }
}
