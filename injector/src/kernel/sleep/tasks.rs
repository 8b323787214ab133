//! Descriptors at whose end the kernel waits for all tasks to sleep or to leave it: those of the function tracer,
//! which waits so whenever one who listens to it goes (kernel/trace/ftrace.c, `ftrace_shutdown`:
//! `synchronize_rcu_tasks_rude`, `synchronize_rcu_tasks`).
//!
//! A probe on many functions at once is such a listener, one for each link. Where the kernel has none (arm64 before
//! Linux 6.14: CONFIG_FPROBE needs all registers at a function's entry), an ordinary program at a function's entry is,
//! but only the last that leaves the function is waited for (kernel/bpf/trampoline.c, `unregister_fentry`).

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, OwnedFd},
};

use crate::kernel::bpf::{btf::KernelBtf, kind::Kind, probe_programs, sys};

/// They run only when the kernel tests itself (net/bpf/test_run.c).
const NOBODY_CALLS: [&str; 10] = [
    "bpf_fentry_test1",
    "bpf_fentry_test2",
    "bpf_fentry_test3",
    "bpf_fentry_test4",
    "bpf_fentry_test5",
    "bpf_fentry_test6",
    "bpf_fentry_test7",
    "bpf_fentry_test8",
    "bpf_fentry_test_sinfo",
    "bpf_fentry_shadow_test",
];

/// Two of them.
pub(super) fn pair() -> io::Result<[OwnedFd; 2]> {
    let probe = || probe(&NOBODY_CALLS[..1]);
    match probe() {
        Ok(first) => Ok([first, probe()?]),
        Err(error) if unsupported(&error) => {
            entries(&KernelBtf::running().map_err(|error| io::Error::other(error.to_string()))?)
        }
        Err(error) => Err(error),
    }
}

/// Whether the kernel can make them. Where it has probes, asking for one at no function tells that and attaches nothing.
pub(in super::super) fn check(btf: &KernelBtf) -> io::Result<()> {
    match probe(&[]) {
        Err(error) if unsupported(&error) => entries(btf).map(drop),
        _ => Ok(()),
    }
}

fn unsupported(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EOPNOTSUPP)
}

fn probe(functions: &[&str]) -> io::Result<OwnedFd> {
    let program =
        probe_programs::load(&probe_programs::constant(0), Kind::KprobeMulti).map_err(|(error, _)| error)?;
    let functions = functions.iter().map(|&name| CString::new(name)).collect::<Result<Vec<_>, _>>()?;
    sys::link_kprobe_multi(program.as_fd(), &functions)
}

/// Programs at the entries of two functions, at which there is no other.
fn entries(btf: &KernelBtf) -> io::Result<[OwnedFd; 2]> {
    let mut functions: Vec<u32> = NOBODY_CALLS.iter().filter_map(|name| btf.function(name)).collect();
    // Those who begin at the same time are not to try the same one.
    let first = std::process::id() as usize % functions.len().max(1);
    functions.rotate_left(first);
    let mut free = functions.into_iter().filter_map(|function| alone_at(function).transpose());
    let mut next = || free.next().unwrap_or_else(|| Err(io::Error::from_raw_os_error(libc::EBUSY)));
    Ok([next()?, next()?])
}

/// `None` if somebody else is there, too.
fn alone_at(function: u32) -> io::Result<Option<OwnedFd>> {
    if !sys::programs_at(function)?.is_empty() {
        return Ok(None);
    }
    let (_program, link) = probe_programs::attached(Kind::Entry(function)).map_err(|(error, _)| error)?;
    // Who came at the same time sees us as we see him; both try another.
    Ok((sys::programs_at(function)?.len() == 1).then_some(link))
}
