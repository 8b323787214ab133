//! What the end-to-end tests share. They run as root inside virtual machines that `cargo xtask test`
//! boots, and use `injector` as a user does: by its command line, its exit codes, its log and its report.
//!
//! A test that cannot run on a kernel asserts the opposite there: that it is refused, with the reason.

pub mod board;
pub mod cgroup;
pub mod clock;
pub mod dice;
pub mod docker;
pub mod guest;
pub mod injector;
pub mod lab;
pub mod model;
pub mod network;
pub mod patience;
pub mod postgres;
pub mod residue;
pub mod rights;
pub mod victim;
