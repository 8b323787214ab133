//! What a killed injector leaves where the kernel has no tcx: filters that pass everything, with nothing behind them.
//!
//! There is no journal of them but the kernel's own list: each filter has its plan in its name. So nothing can be out of
//! step with what is there, of another boot, or lost with a container's files.

use std::{collections::BTreeSet, io};

use crate::{
    kernel::net::{
        clsact,
        error::PacketError,
        namespace::{NetNs, mounted_namespaces, namespaces_of},
        rtnetlink::Rtnetlink,
    },
    target::Procfs,
};

/// What a look for such filters came to.
#[derive(Debug, Default)]
pub struct Filters {
    /// The names of those that were taken away.
    pub removed: Vec<String>,
    /// Why some could not be looked for, or not be taken away. They are left for the next time.
    pub failed: Vec<PacketError>,
}

/// Takes away the filters of plans that are no more, in the network namespaces of all processes and in those that are
/// mounted somewhere (`ip netns`, container engines). Only kernels without tcx need it.
///
/// First the filters are listed, then `living` says which plans live: one that begins meanwhile may have a filter that
/// was not listed, never one that was listed and no plan.
///
/// # Errors
/// [`PacketError`]: the processes or the mounts of this machine cannot be listed, or `living` fails. What
/// fails in one network namespace is part of [`Filters`].
pub fn sweep(
    procfs: &Procfs,
    living: impl FnOnce() -> io::Result<BTreeSet<u64>>,
) -> Result<Filters, PacketError> {
    let unknown = |source| PacketError::Namespaces { source };
    let mut namespaces = namespaces_of(procfs.pids().map_err(unknown)?, procfs)?;
    namespaces.append(&mut mounted_namespaces(procfs).map_err(unknown)?);
    let mut swept = Filters::default();
    let mut found = BTreeSet::new();
    for (&inode, namespace) in &namespaces {
        match inside(inode, namespace, clsact::plans) {
            Ok(plans) => found.extend(plans.into_iter().map(|(device, plan)| (inode, device, plan))),
            Err(error) => swept.failed.push(error),
        }
    }
    if found.is_empty() {
        return Ok(swept);
    }
    let living = living().map_err(|source| PacketError::Plans { source })?;
    for (inode, device, plan) in found.into_iter().filter(|(.., plan)| !living.contains(plan)) {
        match inside(inode, &namespaces[&inode], |socket| clsact::sweep(socket, device, plan)) {
            Ok(removed) => swept.removed.extend(removed),
            Err(error) => swept.failed.push(error),
        }
    }
    Ok(swept)
}

/// Does something with a socket of the namespace.
fn inside<T: Send>(
    inode: u64,
    namespace: &NetNs,
    work: impl FnOnce(&mut Rtnetlink) -> io::Result<T> + Send,
) -> Result<T, PacketError> {
    let done = namespace.run(|| work(&mut Rtnetlink::open()?))?;
    done.map_err(|source| PacketError::List { what: "filters", inode, source })
}
