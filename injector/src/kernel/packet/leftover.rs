//! What a killed injector leaves where the kernel has no tcx: filters that pass everything, with nothing behind them.
//!
//! There is no journal of them but the kernel's own list: each filter has its plan in its name. So nothing can be out of
//! step with what is there, of another boot, or lost with a container's files.

use std::collections::BTreeMap;

use super::{
    clsact,
    error::PacketError,
    namespace::{NetNs, mounted_namespaces, namespaces_of},
    rtnetlink::Rtnetlink,
};
use crate::target::Procfs;

/// What a look for such filters came to.
#[derive(Debug, Default)]
pub struct Filters {
    /// The names of those that were taken away.
    pub removed: Vec<String>,
    /// Why some could not be looked for, or not be taken away. They are left for the next time.
    pub failed: Vec<PacketError>,
}

/// Takes away the filters of plans that are not `alive`, in the network namespaces of all processes and in those that
/// are mounted somewhere (`ip netns`, container engines). Only kernels without tcx need it.
pub fn sweep(procfs: &Procfs, alive: impl Fn(u64) -> bool + Sync) -> Result<Filters, PacketError> {
    let list = |what| move |source| PacketError::List { what, inode: 0, source };
    let mut namespaces = namespaces_of(procfs.pids().map_err(list("processes"))?, procfs)?;
    namespaces.append(&mut mounted_namespaces(procfs).map_err(list("mounts"))?);
    Ok(sweep_all(&namespaces, alive))
}

fn sweep_all(namespaces: &BTreeMap<u64, NetNs>, alive: impl Fn(u64) -> bool + Sync) -> Filters {
    let mut found = Filters::default();
    for (&inode, namespace) in namespaces {
        let swept = namespace.run(|| clsact::sweep(&mut Rtnetlink::open()?, &alive));
        let swept = swept
            .and_then(|swept| swept.map_err(|source| PacketError::List { what: "filters", inode, source }));
        match swept {
            Ok(removed) => found.removed.extend(removed.into_iter().map(|(_, name)| name)),
            Err(error) => found.failed.push(error),
        }
    }
    found
}
