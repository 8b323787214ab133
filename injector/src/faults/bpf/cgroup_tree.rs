//! A target cgroup with all below it, put into the table that the programs read.

use crate::{
    faults::error::FaultError,
    kernel::installation::Installation,
    target::{Cgroup, TargetError},
};

/// Adds a cgroup and all that are below it. One that is made below a known one is followed by the kernel
/// side; one that is made below a listed one before that is known is found by another look.
pub(super) fn add_tree(installation: &Installation, cgroup: &Cgroup, number: u32) -> Result<(), FaultError> {
    installation.add_cgroup(cgroup.id(), number)?;
    loop {
        let mut new = false;
        for below in cgroup.descendants().map_err(TargetError::from)? {
            new |= installation.add_cgroup(below.id, number)?;
        }
        if !new {
            return Ok(());
        }
    }
}
