//! A number that programs on several processors change at the same time, and that user space reads: atomic on the
//! kernel side, plain where it is a copy of what stands in a map.

/// A counter or word of a map as user space reads it: a plain copy.
#[cfg(not(target_arch = "bpf"))]
pub type Cell = u64;
/// A counter or word of a map as programs change it: atomic.
#[cfg(target_arch = "bpf")]
pub type Cell = core::sync::atomic::AtomicU64;
