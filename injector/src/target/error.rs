//! Why something cannot be a target: what failed on which object and the cause; `hint` says what to do.

pub(super) mod cgroup;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use self::cgroup::CgroupError;
use crate::{printable::Printable, target::name::NameError};

/// Why something cannot be a target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Not as a cgroup.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// Not by its name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Not as a process.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Not as a command.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl TargetError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Cgroup(error) => error.hint().into(),
            Self::Name(error) => error.hint(),
            Self::Process(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }
}

/// Why a process cannot be a target.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is none of that number.
    #[error("cannot attach to process {0}: there is no such process")]
    Gone(u32),
    /// It is process 1 of this pid namespace.
    #[error("cannot attach to process 1: it is the machine's init, and all others descend from it")]
    Init,
    /// It is the injector.
    #[error("cannot attach to process {0}: it is the injector itself")]
    Ourselves(u32),
    /// It is a thread of the kernel.
    #[error("cannot attach to process {pid} ({comm}): it is a kernel thread")]
    KernelThread {
        /// Its number.
        pid: u32,
        /// Its name.
        comm: String,
    },
    /// The number is that of a thread.
    #[error("cannot attach to {tid}: it is a thread of process {process}, and targets are whole processes")]
    Thread {
        /// As it was asked for.
        tid: u32,
        /// The process that it belongs to.
        process: u32,
    },
    /// A system call failed.
    #[error("cannot {verb} process {pid}: {source}")]
    System {
        /// What was tried.
        verb: &'static str,
        /// On which process.
        pid: u32,
        /// The cause.
        source: io::Error,
    },
}

impl ProcessError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Gone(_) => {
                "check the number with `ps`; in a container, share the host's pid namespace".into()
            }
            Self::Init => "name a process below it, or say --unsafe if every process is meant".into(),
            Self::Ourselves(_) => "name another process".into(),
            Self::KernelThread { .. } => {
                "name a process of user space; kernel threads make no system calls".into()
            }
            Self::Thread { process, .. } => format!("use --pid {process}"),
            Self::System { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "run as root, or with CAP_SYS_PTRACE where procfs is mounted with hidepid".into()
            }
            Self::System { .. } if !Path::new("/proc/self").exists() => {
                "mount procfs: mount -t proc proc /proc".into()
            }
            Self::System { .. } => "check that the process is still there and that /proc is mounted".into(),
        }
    }
}

/// Why a command cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is nothing to run.
    #[error("cannot run a command: none was given")]
    Empty,
    /// There is no such program.
    #[error("cannot run {0}: there is no such program")]
    NotFound(String),
    /// The program cannot be executed.
    #[error("cannot run {name}: {source}")]
    NotExecutable {
        /// As it was given.
        name: String,
        /// The cause.
        source: io::Error,
    },
    /// The child cannot enter its cgroup.
    #[error("cannot start a process in cgroup {}: {source}", Printable(.path.display()))]
    Enter {
        /// The cgroup.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A system call on the running command failed.
    #[error("cannot {verb} {name}: {source}")]
    System {
        /// What was tried.
        verb: &'static str,
        /// The command.
        name: String,
        /// The cause.
        source: io::Error,
    },
    /// Its cgroup cannot be made.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
}

impl CommandError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Empty => "put the command after `--`".into(),
            Self::NotFound(name) if name.contains('/') => {
                "check the path, and the interpreter in its first line".into()
            }
            Self::NotFound(_) => "check the spelling and $PATH (sudo sets its own), or give the path".into(),
            Self::NotExecutable { .. } => {
                "check that it is a program of this machine and that its x bit is set".into()
            }
            Self::Enter { .. } => {
                "run as root; in a container, mount the cgroup hierarchy for writing".into()
            }
            Self::System { .. } => "see whether it still runs".into(),
            Self::Cgroup(error) => error.hint().into(),
        }
    }

    /// The exit code as env(1) has it: 127 not found, 126 not executable, 125 anything of our own.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound(_) => 127,
            Self::NotExecutable { .. } => 126,
            _ => 125,
        }
    }
}
