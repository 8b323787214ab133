//! System calls, and the operations in them: what programs at their functions and at security hooks see, which rules are
//! asked about it, and how a thread is delayed.

pub mod call_ctx;
pub mod delay;
pub mod hook;
pub mod occurrence;
pub mod pending;
pub mod rules;
pub mod signal;
pub mod sleep;
pub mod syscall;
