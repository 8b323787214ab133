//! bpf(2) and what goes through it: our loader, the kernel's types, maps that are mapped, small programs made by hand.

pub mod btf;
pub mod kind;
pub(crate) mod link;
pub mod loader;
pub mod mapped;
pub(crate) mod messages;
pub mod offsets;
pub(crate) mod probe_programs;
pub(crate) mod sys;
pub(crate) mod tables;
