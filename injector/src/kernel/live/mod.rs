//! Plans that live: how they are found, how they are asked for changes, and the lease that ends them with their injector.

pub mod control;
pub mod enclosure;
pub mod lease;
pub mod registry;
