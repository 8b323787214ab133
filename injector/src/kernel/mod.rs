//! What is asked of the kernel: probing, loading, attaching, and what stays in touch with a plan that lives.

pub mod bpf;
mod error;
pub(crate) mod helper;
pub mod installation;
pub mod live;
pub mod net;
pub mod probe;
pub(crate) mod rights;
pub mod running;
pub mod sleep;
pub mod syscall;
