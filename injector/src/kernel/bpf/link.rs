//! Attaching a program to a function by a kprobe.

use std::{
    fs, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use aya_obj::generated::bpf_attach_type::BPF_PERF_EVENT;

use crate::kernel::bpf::sys;

/// Where the kernel says which number its kprobe events have.
const EVENT_KIND: &str = "/sys/bus/event_source/devices/kprobe/type";

/// At which end of a function a program sits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Before its first instruction.
    Entered,
    /// On its way back to its caller.
    Returned,
}

/// Attaches a kprobe program to `function`.
///
/// The perf event itself need not be kept: the link holds it (kernel/bpf/syscall.c,
/// `bpf_perf_link_attach`).
pub(crate) fn link(program: BorrowedFd<'_>, function: &str, when: When) -> io::Result<OwnedFd> {
    let kind = fs::read_to_string(EVENT_KIND)?;
    let kind = kind.trim().parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    let event = sys::open_kprobe(kind, function, when == When::Returned)?;
    sys::link_to(program, event.as_fd(), BPF_PERF_EVENT as u32)
}
