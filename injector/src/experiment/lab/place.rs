//! Places: all that belongs to a service, and where a command is run.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use crate::experiment::namespaces::Namespaces;

/// All that belongs to a service.
#[derive(Clone, Debug)]
pub(super) struct Home {
    /// Of whoever is in it.
    pub(super) namespaces: Namespaces,
    /// Its own cgroup.
    pub(super) cgroup: PathBuf,
    /// That of commands which ask whether it is ready.
    pub(super) commands: PathBuf,
    /// Its address at the lab's network.
    pub(super) address: IpAddr,
    /// `${dir}`, where it begins.
    pub(super) folder: PathBuf,
    /// What it says.
    pub(super) log: PathBuf,
}

/// Where a command is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Its cgroup.
    pub(crate) cgroup: &'a Path,
    /// Its network and mounts.
    pub(crate) namespaces: &'a Namespaces,
    /// Where it begins.
    pub(crate) folder: &'a Path,
}

impl Home {
    /// Where its program runs.
    pub(super) fn inside(&self) -> Place<'_> {
        Place { cgroup: &self.cgroup, namespaces: &self.namespaces, folder: &self.folder }
    }

    /// Where commands beside it run.
    pub(super) fn beside(&self) -> Place<'_> {
        Place { cgroup: &self.commands, ..self.inside() }
    }
}
