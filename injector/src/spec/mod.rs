//! Text to rules: strace's `inject=` grammar for system calls, netem's words for packets, and two of our own for
//! operations and processes. What comes out is pure data ([`model`], [`mod@operation`], [`packet`], [`mod@process`]);
//! whether this kernel can do it is asked elsewhere.

mod actions;
pub mod address;
pub mod build;
mod callset;
pub mod comm;
mod constant;
pub mod delay;
pub mod dns;
pub mod effect;
pub mod errno;
pub mod error;
mod familiar;
pub mod filter;
mod form;
pub mod header;
mod meaning;
pub mod model;
pub(crate) mod nearest;
mod net;
pub mod netem;
pub mod object;
pub mod operation;
pub mod packet;
mod ports;
pub mod problem;
pub mod process;
mod qualifier;
mod quantity;
pub mod signal;
mod syscall;
#[cfg(test)]
mod tests;
mod text;
pub mod trigger;
pub mod units;
pub mod user_space;
mod vocabulary;
mod word;

pub use error::SpecError;
pub use net::net;
pub use operation::operation;
pub use process::process;
pub(crate) use quantity::{bytes, nanoseconds};
pub use syscall::{expression, syscall};
