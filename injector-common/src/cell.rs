//! A number that programs on several processors change at the same time, and that user space reads: atomic on the
//! kernel side, plain where it is a copy of what stands in a map.

/// See the module.
#[cfg(not(target_arch = "bpf"))]
pub type Cell = u64;
/// See the module.
#[cfg(target_arch = "bpf")]
pub type Cell = core::sync::atomic::AtomicU64;
