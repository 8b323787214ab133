//! Is a network namespace the target's own? What comes in is met at devices before anybody knows whose it is, so what
//! makes it wait has to know that all of it is the target's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::MetadataExt,
};

use crate::{
    kernel::net::error::{PacketError, Shared},
    target::{Procfs, in_initial_pid_namespace},
};

/// Of these network namespaces, by inode number, those that are not the target's own. `targets` lists its processes;
/// the injector's own is nobody.
///
/// # Errors
/// [`PacketError`]: the processes of this machine cannot be listed.
pub fn shared(
    namespaces: &BTreeSet<u64>,
    procfs: &Procfs,
    targets: impl FnOnce() -> Vec<u32>,
) -> Result<BTreeMap<u64, Shared>, PacketError> {
    let list = |source| PacketError::List { what: "processes", inode: 0, source };
    if !in_initial_pid_namespace(procfs).map_err(list)? {
        return Ok(namespaces.iter().map(|&inode| (inode, Shared::Unseen { inode })).collect());
    }
    let mut residents = residents(namespaces, procfs)?;
    // Asked after that: whoever is born later has not been seen.
    for pid in targets().into_iter().chain([std::process::id()]) {
        residents.remove(&pid);
    }
    let mut found = BTreeMap::new();
    for (pid, inode) in residents {
        // One of the target's that has ended meanwhile is not in its list any more.
        let (Ok(stat), true) = (procfs.stat(pid), namespace(pid, procfs)? == Some(inode)) else { continue };
        found.entry(inode).or_insert(Shared::Outsider { inode, pid, comm: stat.comm });
    }
    Ok(found)
}

/// Who lives in these namespaces: processes with the namespace's inode number.
fn residents(namespaces: &BTreeSet<u64>, procfs: &Procfs) -> Result<BTreeMap<u32, u64>, PacketError> {
    let list = |source| PacketError::List { what: "processes", inode: 0, source };
    let mut found = BTreeMap::new();
    for pid in procfs.pids().map_err(list)? {
        if let Some(inode) = namespace(pid, procfs)?.filter(|inode| namespaces.contains(inode)) {
            found.insert(pid, inode);
        }
    }
    Ok(found)
}

/// The inode number of a process's network namespace; `None` when it has ended.
fn namespace(pid: u32, procfs: &Procfs) -> Result<Option<u64>, PacketError> {
    let look = || fs::metadata(procfs.path(format!("{pid}/ns/net")));
    let denied = |error: &io::Error| error.raw_os_error() == Some(libc::EACCES);
    // Asked again, a process that was just ending says what is true, see `namespaces_of`.
    match look().or_else(|error| if denied(&error) { look() } else { Err(error) }) {
        Ok(found) => Ok(Some(found.ino())),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(None),
        Err(source) => Err(PacketError::Open { pid, source }),
    }
}
