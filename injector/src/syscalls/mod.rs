//! The system calls of Linux: one table for all ABIs, written by `cargo xtask syscalls` from the
//! kernel's and strace's own, never typed. It answers what a name, a number or a class means, which
//! kernel functions serve a call, and which calls are left alone.
//!
//! The 32-bit x86 calls `socketcall` and `ipc` stand for themselves: what a program does through them is
//! not known under the names of the parts (strace takes those apart).

mod abi;
pub mod hooks;
mod narrow;
mod parameter;
mod safety;
mod table;

pub use abi::{Abi, Call, Machine};
pub use narrow::{is_narrow, wide};
pub use parameter::Parameter;
pub use safety::Safety;
pub use table::{Entry, all, classes, get, is_parameter};
