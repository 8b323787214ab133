//! Targets by name: containers, pods and systemd units, as their users call them. The state that runtimes keep on disk
//! says which container a name means; its cgroup is found in the tree by the container's id. No runtime is asked, so
//! none has to run, and no client is needed.

mod bolt;
pub mod choice;
mod container;
mod containerd;
mod crio;
mod docker;
mod error;
mod host;
mod known;
mod pattern;
mod podman;
mod search;
mod storage;
mod tree;
mod units;
mod word;

pub(crate) use self::search::running;
pub use self::{
    container::Runtime,
    error::NameError,
    host::Host,
    known::known,
    search::{find, find_again},
    word::{Kind, Name},
};
