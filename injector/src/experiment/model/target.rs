//! Whom a fault may be aimed at, beside the services of the lab.

use std::path::PathBuf;

use crate::experiment::model::Template;

/// A target by the name that the file gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetChoice {
    /// A cgroup by path or name, as `--cgroup` takes it.
    Cgroup(String),
    /// A process tree.
    Process(u32),
    /// A process tree whose pid a file has.
    PidFile(PathBuf),
    /// A systemd unit.
    Unit(String),
    /// A container, as `--container` takes it.
    Container(String),
    /// A process tree whose pid this command prints.
    Command(Template),
    /// Services of the lab together.
    Services(Vec<String>),
}
