//! What is asked of the kernel: probing, loading, attaching. The only place with `unsafe`.

pub mod at_cgroup;
pub mod btf;
pub mod clock;
pub mod descriptors;
pub mod enclosure;
pub mod installation;
pub mod lease;
pub mod mailbox;
mod members;
pub mod memory;
pub mod nap;
pub mod naps;
pub mod object;
pub mod offsets;
pub mod packet;
pub mod probe;
pub mod refusal;
pub mod registry;
pub mod setting;
mod sockets;
pub mod standing;
mod sys;
pub mod syscall;
mod tables;
mod tiny;
pub mod unsupported;

pub use self::unsupported::{Fault, Mechanism, Unsupported};
