//! Why a cgroup cannot be a target.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::printable::Printable;

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
