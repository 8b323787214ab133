//! A target as a policy looks at it: its cgroups and who lives in them.

use std::path::PathBuf;

/// A target. Cgroups go by their names, as `/proc/PID/cgroup` prints them.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// In words, for messages.
    pub target: String,
    /// Is it a cgroup? Else it is a process tree.
    pub is_cgroup: bool,
    /// The target cgroup, or all cgroups in which processes of the tree live.
    pub cgroups: Vec<PathBuf>,
    /// Cgroups below the target.
    pub below: Vec<PathBuf>,
    /// Its processes.
    pub inhabitants: Vec<Inhabitant>,
}

/// A process of a target.
#[derive(Clone, Debug)]
pub struct Inhabitant {
    /// Its number.
    pub pid: u32,
    /// Its name, up to 15 bytes.
    pub comm: String,
    /// The name of its cgroup, if that is known.
    pub cgroup: Option<PathBuf>,
    /// Is it in the pid namespace of process 1? What runs in a container of its own is an application, whatever it is
    /// called.
    pub of_the_machine: bool,
}
