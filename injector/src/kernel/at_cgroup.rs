//! Programs at the hooks of cgroups: each loaded once, and linked to one cgroup after the other. A program that is at
//! a cgroup runs for all below it.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use super::{
    object::{Kind, ObjectError, Ready},
    sys,
};

/// Programs of one purpose, with their links. Dropping it takes them off.
#[derive(Debug)]
pub(super) struct AtCgroups {
    programs: Vec<(OwnedFd, u32)>,
    links: Vec<OwnedFd>,
}

impl AtCgroups {
    /// The hooks in connect(2).
    pub(super) fn connect(ready: &Ready) -> Result<Self, ObjectError> {
        let kinds = [("connect4", Kind::CgroupConnect4), ("connect6", Kind::CgroupConnect6)];
        let load = |(name, kind): (&str, Kind)| Ok((ready.load(name, name, kind)?, kind.numbers().1));
        Ok(Self { programs: kinds.into_iter().map(load).collect::<Result<_, _>>()?, links: Vec::new() })
    }

    /// Puts them at one more cgroup.
    pub(super) fn attach(&mut self, cgroup: BorrowedFd<'_>) -> io::Result<()> {
        for (program, hook) in &self.programs {
            self.links.push(sys::link_to(program.as_fd(), cgroup, *hook)?);
        }
        Ok(())
    }
}
