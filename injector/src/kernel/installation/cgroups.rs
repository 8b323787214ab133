//! Programs at the hooks of cgroups: each loaded once, and linked to one cgroup after the other. A program that is at
//! a cgroup runs for all below it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use crate::kernel::{
    bpf::{kind::Kind, loader::LoadedObject, sys},
    installation::InstallError,
};

/// Whose sockets a program that is put at a cgroup is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those that were made in the cgroup, or below it.
    Cgroup,
    /// Those of process trees, wherever they were made.
    Tree,
}

/// A hook's programs: for sockets of cgroups, and for those of process trees.
type Hook = (&'static str, &'static str, Kind);

/// Programs of one purpose, with their links. Dropping it takes them off.
#[derive(Debug)]
pub(crate) struct AtCgroups {
    hooks: &'static [Hook],
    programs: BTreeMap<&'static str, OwnedFd>,
    links: Vec<OwnedFd>,
}

impl AtCgroups {
    /// Packets that come in.
    pub(crate) fn ingress() -> Self {
        Self::new(&[("ingress", "tree_ingress", Kind::CgroupIngress)])
    }

    /// The hooks in connect(2).
    pub(crate) fn connect() -> Self {
        Self::new(&[
            ("connect4", "tree_connect4", Kind::CgroupConnect4),
            ("connect6", "tree_connect6", Kind::CgroupConnect6),
        ])
    }

    fn new(hooks: &'static [Hook]) -> Self {
        Self { hooks, programs: BTreeMap::new(), links: Vec::new() }
    }

    /// Puts them at one more cgroup.
    ///
    /// # Errors
    /// A program is not taken, or cannot be attached.
    pub(crate) fn attach(
        &mut self,
        object: &LoadedObject,
        whose: Whose,
        cgroup: BorrowedFd<'_>,
    ) -> Result<(), InstallError> {
        // Those at a cgroup that was removed: the kernel has detached them.
        self.links.retain(|link| !sys::is_detached(link.as_fd()));
        for &(own, tree, kind) in self.hooks {
            let name = if whose == Whose::Tree { tree } else { own };
            let program = match self.programs.entry(name) {
                Entry::Occupied(loaded) => loaded.into_mut(),
                Entry::Vacant(place) => place.insert(object.load(name, name, kind)?),
            };
            let link = sys::link_to(program.as_fd(), cgroup, kind.numbers().1).map_err(|source| {
                InstallError::System { what: format!("attach {name} to a cgroup"), source }
            })?;
            self.links.push(link);
        }
        Ok(())
    }
}
