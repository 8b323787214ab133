//! Text to rules: strace's `inject=` grammar for system calls and netem's words for packets. What comes
//! out is pure data ([`model`], [`packet`]); whether this kernel can do it is asked elsewhere.

mod actions;
mod callset;
pub mod errno;
pub mod error;
pub mod model;
mod nearest;
mod net;
mod netem;
pub mod operation;
pub mod packet;
mod ports;
mod problem;
mod syscall;
#[cfg(test)]
mod tests;
mod trigger;
pub mod units;
mod word;

pub use error::SpecError;
pub use net::net;
pub use operation::operation;
pub use syscall::{expression, syscall};
