//! Whose calls and packets are affected: a cgroup with all below it, a process with all its
//! descendants, or a command that we start.

pub mod cgroup;
pub mod command;
mod error;
pub mod hierarchy;
pub mod nest;
pub mod process;
pub mod procfs;
pub(crate) mod rlimit;
pub mod session;
pub mod signals;

pub(crate) use self::procfs::MountLine;
pub use self::{
    cgroup::{Cgroup, Descendant},
    command::Command,
    error::{CgroupError, CommandError, ProcessError, TargetError},
    hierarchy::Hierarchy,
    nest::{Placement, Removal, sweep},
    process::{Init, Process, in_initial_pid_namespace},
    procfs::Procfs,
    session::Session,
    signals::{Received, Signals},
};

/// What rules are put on.
#[derive(Debug)]
pub enum Target {
    /// A cgroup and all below it.
    Cgroup(Cgroup),
    /// A process and all its descendants.
    Process(Process),
}

impl Target {
    /// Numbers of all processes that belong to it now.
    pub fn pids(&self) -> Result<Vec<u32>, TargetError> {
        match self {
            Self::Cgroup(cgroup) => Ok(cgroup.pids()?),
            Self::Process(process) => {
                let own = (!process.is_gone()).then_some(process.pid());
                let below = process.descendants()?;
                Ok(own.into_iter().chain(below.iter().map(Process::pid)).collect())
            }
        }
    }

    /// The cgroup that holds it; none for a process, whose cgroup it shares with others.
    pub fn cgroup(&self) -> Option<&Cgroup> {
        match self {
            Self::Cgroup(cgroup) => Some(cgroup),
            Self::Process(_) => None,
        }
    }

    /// A few words for messages and tables.
    pub fn describe(&self) -> String {
        match self {
            Self::Cgroup(cgroup) => format!("cgroup {}", cgroup.name().display()),
            Self::Process(process) => format!("process {} ({})", process.pid(), process.comm()),
        }
    }

    /// Whether it has ended: the cgroup was removed, the process ended (descendants may live on).
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Cgroup(cgroup) => cgroup.is_gone(),
            Self::Process(process) => process.is_gone(),
        }
    }
}
