//! Why something cannot be a target: what failed on which object and the cause; `hint` says what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::printable::Printable;

/// Why something cannot be a target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Not as a cgroup.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
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
            Self::Process(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }
}

/// Why a cgroup cannot be a target.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The machine has no version 2 hierarchy in sight.
    #[error("cannot find a cgroup: no version 2 hierarchy is mounted{}", if *.version1 { ", only version 1" } else { "" })]
    NoVersion2 {
        /// There are version 1 hierarchies.
        version1: bool,
    },
    /// The directory is a cgroup of version 1.
    #[error("cannot use cgroup {}: it belongs to a version 1 hierarchy, and BPF tells only those of version 2", Printable(.0.display()))]
    Version1(PathBuf),
    /// The directory is in another file system.
    #[error("cannot use {} as a cgroup: it is not in a cgroup file system", Printable(.0.display()))]
    NotACgroup(PathBuf),
    /// There is nothing at that path.
    #[error("cannot find cgroup {}: it exists neither as it stands nor below {}", Printable(.path.display()), Printable(.mount.display()))]
    Missing {
        /// As it was asked for.
        path: PathBuf,
        /// Where the hierarchy is mounted.
        mount: PathBuf,
    },
    /// The directory is a cgroup of a hierarchy mount that is not the one in use.
    #[error("cannot use cgroup {}: it is not below {}", Printable(.path.display()), Printable(.mount.display()))]
    OtherMount {
        /// The cgroup.
        path: PathBuf,
        /// Where the hierarchy is mounted.
        mount: PathBuf,
    },
    /// Every process of the machine is in it.
    #[error(
        "cannot take {} as a target: it is the root cgroup, to which every process of the machine belongs",
        Printable(.0.display())
    )]
    Root(PathBuf),
    /// A cgroup cannot be made.
    #[error("cannot make a cgroup below {}: {source}", Printable(.parent.display()))]
    Make {
        /// The cgroup in which it was tried, or the file that should name it.
        parent: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A cgroup of ours cannot be removed.
    #[error("cannot remove cgroup {}: {source}", Printable(.path.display()))]
    Remove {
        /// The cgroup.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A system call failed.
    #[error("cannot read {}: {source}", Printable(.path.display()))]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl CgroupError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoVersion2 { version1: true } => {
                "boot with systemd.unified_cgroup_hierarchy=1 (or cgroup_no_v1=all), or mount it beside version 1: \
                 mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified"
            }
            Self::NoVersion2 { version1: false } => {
                "mount it: mount -t cgroup2 none /sys/fs/cgroup; in a container, give it the host's /sys/fs/cgroup"
            }
            Self::Version1(_) => {
                "name the cgroup of the version 2 hierarchy: the line `0::` of /proc/PID/cgroup"
            }
            Self::NotACgroup(_) => {
                "give a directory below the cgroup mount, or what /proc/PID/cgroup prints after `0::`"
            }
            Self::Missing { .. } => {
                "list what there is with `systemd-cgls`, or see the line `0::` of /proc/PID/cgroup"
            }
            Self::Root(_) => "name a cgroup below it, or add --unsafe if that is what you want",
            Self::OtherMount { .. } => "name it by its path below that mount",
            Self::Make { .. } => {
                "run as root, with CAP_DAC_OVERRIDE; in a container, mount /sys/fs/cgroup for writing"
            }
            Self::Remove { .. } => "remove it with rmdir when `cgroup.procs` in it is empty",
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "run as root, or with CAP_DAC_READ_SEARCH"
            }
            Self::Read { path, .. } if path.starts_with("/proc") && !Path::new("/proc/self").exists() => {
                "mount procfs: mount -t proc proc /proc"
            }
            Self::Read { .. } => "check that the cgroup and its mount are still there",
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
