//! What may be touched on this machine: what its administrator permits in `/etc/injector/policy.toml`, which no option
//! overrides, and what is protected unless a user insists (`--unsafe`), since the machine depends on it.
//!
//! [`Policy::parse`] makes a policy of text, [`Policy::read`] of the file, and the checks hold it against what a plan is
//! about. Only `file` reads anything; all else is a pure function.

mod error;
mod file;
mod glob;
mod home;
mod layer;
mod permits;
mod probability;
mod protection;
mod quantity;
mod subject;
mod targets;
mod text;

pub use self::{
    error::{FILE, FileProblem, PolicyError},
    glob::CgroupGlob,
    layer::Layer,
    protection::{Machine, check_protected},
    quantity::{Percent, TimeLimit},
    subject::{Inhabitant, Subject},
    text::{Cgroups, Limits, Policy},
};
