//! The sockets of process trees: marked when they are made, and those that were there before by a walk over what
//! the trees have open. The kernel side is `ownership`.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use crate::kernel::{
    bpf::{btf::KernelBtf, kind::Kind, loader::LoadedObject, sys},
    installation::InstallError,
};

/// The hook that every new socket passes, in the task that makes it (net/socket.c, `__sock_create`).
pub(crate) const HOOK: &str = "security_socket_post_create";
/// What the kernel calls an iterator over all open files.
const OPEN_FILES: &str = "bpf_iter_task_file";

/// Marks new sockets as long as it lives.
#[derive(Debug)]
pub(crate) struct Sockets {
    program: OwnedFd,
    _link: OwnedFd,
}

impl Sockets {
    /// From here on new sockets are marked.
    pub(crate) fn follow(object: &LoadedObject, btf: &KernelBtf) -> Result<Self, InstallError> {
        let kind = Kind::Exit(function(btf, HOOK)?);
        let program = object.load("socket_made", "socket_made", kind)?;
        let link = sys::link_tracing(program.as_fd(), kind.numbers().1, 0).map_err(failed("attach", HOOK))?;
        Ok(Self { program, _link: link })
    }

    /// What the report calls it.
    pub(crate) fn name() -> String {
        format!("fexit {HOOK}")
    }

    /// How often it was skipped.
    pub(crate) fn misses(&self) -> u64 {
        sys::program_misses(self.program.as_fd()).unwrap_or(0)
    }
}

/// Marks the sockets that marked processes have open.
pub(crate) fn mark(object: &LoadedObject, btf: &KernelBtf) -> Result<(), InstallError> {
    walk(object, btf, "sockets_open")
}

/// Counts the sockets that those in target cgroups have open, and that belong to other cgroups.
pub(crate) fn count_elsewhere(object: &LoadedObject, btf: &KernelBtf) -> Result<(), InstallError> {
    walk(object, btf, "sockets_elsewhere")
}

/// Runs a program on what all processes have open.
fn walk(object: &LoadedObject, btf: &KernelBtf, name: &'static str) -> Result<(), InstallError> {
    let kind = Kind::Iterator(function(btf, OPEN_FILES)?);
    let program = object.load(name, name, kind)?;
    sys::walk(program.as_fd()).map_err(failed("walk", OPEN_FILES))
}

fn function(btf: &KernelBtf, name: &'static str) -> Result<u32, InstallError> {
    btf.function(name).ok_or_else(|| failed("find", name)(io::ErrorKind::NotFound.into()))
}

fn failed(verb: &'static str, name: &'static str) -> impl FnOnce(io::Error) -> InstallError {
    move |source| InstallError::System { what: format!("{verb} {name}"), source }
}
