//! Faults that user space does beside the programs in the kernel, each behind the same trait ([`fault::Fault`]), with the
//! rules, numbers, counters, log and end of the plan that they belong to.

pub mod deed;
mod error;
pub mod fault;
mod process;

use std::path::PathBuf;

pub use self::error::FaultError;
use self::{fault::Fault, process::ProcessFaults};
use crate::target::Hierarchy;

/// All that there are, none of them begun.
pub(crate) fn all() -> Vec<Box<dyn Fault>> {
    vec![Box::new(ProcessFaults::default())]
}

/// Undoes what injectors left that could not do it themselves, nor have it done; not what plans do for which `lives`
/// holds. Gives what was undone, and what could not be.
pub(crate) fn sweep(hierarchy: &Hierarchy, lives: impl Fn(u32) -> bool) -> (Vec<PathBuf>, Vec<String>) {
    process::mark::undo_all(hierarchy.mount_point(), |plan| !lives(plan))
}
