//! Where a load, a probe or an action is made: the namespaces of a service, those of the lab, or the runner's own.

mod group;
mod name;
mod place;
mod process;
mod socket;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::IpAddr, os::fd::OwnedFd, path::PathBuf, sync::Arc};

pub use self::{
    group::{Ended, Group},
    name::host_and_port,
    place::{Place, PlaceError},
    process::Process,
};
use crate::kernel::net::NetNs;

/// A place to make sockets and to start commands in.
#[derive(Clone, Debug, Default)]
pub struct Namespaces {
    /// Sockets are made in this one; in the runner's own if there is none.
    pub network: Option<Arc<NetNs>>,
    /// Commands see these mounts, whose `/etc/hosts` has the names of the lab; those of the runner if there are none.
    pub mounts: Option<Arc<OwnedFd>>,
    /// Names of the lab, which go before those of any resolver.
    pub hosts: Arc<BTreeMap<String, IpAddr>>,
    /// Commands begin here: the folder of the experiment's file.
    pub folder: PathBuf,
    /// Commands are put into this cgroup, of which it is `cgroup.procs`: they end with the lab, whatever they have started
    /// and whoever ends it. That of the runner if there is none.
    pub cgroup: Option<Arc<OwnedFd>>,
}
