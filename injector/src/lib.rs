//! injector as a library.

pub mod cli;
pub mod clock;
pub mod distribution;
pub mod engine;
pub mod kernel;
pub mod operations;
pub mod plan;
pub mod printable;
mod readable;
pub mod resolver;
pub mod spec;
pub mod syscalls;
pub mod target;
