//! All that belongs to a service.

use std::{net::IpAddr, path::PathBuf};

use crate::experiment::namespaces::Namespaces;

/// All that belongs to a service.
#[derive(Clone, Debug)]
pub(super) struct Home {
    /// Of whoever is in it, and of commands beside it.
    pub(super) namespaces: Namespaces,
    /// Its own cgroup.
    pub(super) cgroup: PathBuf,
    /// Its address at the lab's network.
    pub(super) address: IpAddr,
    /// `${dir}`, where it begins.
    pub(super) folder: PathBuf,
    /// What it says.
    pub(super) log: PathBuf,
}
