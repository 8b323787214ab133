//! A mount namespace with an `/etc/hosts` of the lab. What is mounted in it is seen nowhere else; what the machine mounts
//! or unmounts meanwhile is followed.

use std::{fs::File, io, os::fd::OwnedFd, path::Path, sync::Arc, thread};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use crate::experiment::lab::error::LabError;

/// Where the C library looks names up (hosts(5)).
const HOSTS: &str = "/etc/hosts";

/// Makes one, in which `hosts` stands for [`HOSTS`]. It is gone with the descriptor and the last process in it.
pub(super) fn with_hosts(hosts: &Path) -> Result<Arc<OwnedFd>, LabError> {
    // A thread has mounts of its own once it asks for them, and ends here.
    let made = thread::scope(|scope| {
        let started =
            thread::Builder::new().name("injector-mounts".into()).spawn_scoped(scope, || make(hosts));
        match started.map_err(failed("start a thread"))?.join() {
            Ok(made) => made,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })?;
    Ok(Arc::new(made))
}

fn make(hosts: &Path) -> Result<OwnedFd, LabError> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(|error| failed("make a mount namespace")(error.into()))?;
    let nothing = None::<&str>;
    let follow = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    mount(nothing, "/", nothing, follow, nothing)
        .map_err(|error| failed("keep its mounts from the machine")(error.into()))?;
    mount(Some(hosts), HOSTS, nothing, MsFlags::MS_BIND, nothing)
        .map_err(|error| failed("mount a file on /etc/hosts")(error.into()))?;
    File::open("/proc/thread-self/ns/mnt").map(OwnedFd::from).map_err(failed("open a mount namespace"))
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> LabError {
    move |source| LabError::Mounts { what, source }
}
