//! Where the state of the machine's runtimes is: in our own file system, and from a container that has the host's pid
//! namespace in that of process 1 as well.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::target::{
    error::CgroupError,
    hierarchy::Hierarchy,
    name::{container::Found, containerd, crio, docker, podman, storage},
    procfs::Procfs,
};

/// The file system of process 1.
pub(super) const INIT: &str = "/proc/1/root";

/// The file systems in which state may be, and the tree of cgroups.
#[derive(Debug)]
pub struct Host {
    pub(super) roots: Vec<PathBuf>,
    /// The `storage.conf` of `CONTAINERS_STORAGE_CONF`.
    storage: Option<PathBuf>,
    pub(super) hierarchy: Hierarchy,
}

impl Host {
    /// This machine.
    ///
    /// # Errors
    /// There is no version 2 hierarchy of cgroups.
    pub fn here() -> Result<Self, CgroupError> {
        let hierarchy = Hierarchy::discover(&Procfs::default())?;
        let own = fs::read_link("/proc/self/ns/mnt").ok();
        // Where it cannot be told, the look into it says why.
        let other = fs::read_link("/proc/1/ns/mnt").map_or(true, |init| own.is_some_and(|own| own != init));
        let roots = ["/", INIT].into_iter().take(if other { 2 } else { 1 });
        let storage = std::env::var_os("CONTAINERS_STORAGE_CONF").map(PathBuf::from);
        Ok(Self { roots: roots.map(PathBuf::from).collect(), storage, hierarchy })
    }

    /// The same, with cgroups in that hierarchy.
    pub(super) fn with(self, hierarchy: &Hierarchy) -> Self {
        Self { hierarchy: hierarchy.clone(), ..self }
    }

    /// All containers that any runtime knows.
    pub(super) fn containers(&self) -> Found {
        let mut found = Found::default();
        for root in &self.roots {
            if root == Path::new(INIT) {
                // Without the right to it, all that is below would seem not to be there.
                found.names(root);
            }
            read(root, self.storage.as_deref(), &mut found);
        }
        // What is mounted in our own file system may be the host's.
        found.containers.sort_by(|one, other| (one.runtime, &one.id).cmp(&(other.runtime, &other.id)));
        found.containers.dedup_by(|one, other| (one.runtime, &one.id) == (other.runtime, &other.id));
        found.share_pod_labels();
        found
    }
}

fn read(root: &Path, storage: Option<&Path>, found: &mut Found) {
    docker::containers(root, found);
    for store in storage::stores(root, storage, found) {
        let (ours, theirs) = store.entries(found).into_iter().partition::<Vec<_>, _>(crio::is_one);
        podman::containers(&store, &theirs, found);
        crio::containers(&ours, found);
    }
    containerd::containers(root, found);
}
