//! The pager: a process that maps the file of the sleep slots, says where, and waits for the end of the injector. The threads
//! that sleep wait in a page fault on its memory, and hold its `mmap_lock` for reading. So it must never want
//! that lock for writing: after the mapping it does nothing but to tell the kernel, now and then, that pages of the
//! file that nobody waits for need not be kept. One is left of each slot that was slept in.

use std::{
    fs::File,
    io,
    num::NonZeroUsize,
    os::fd::{AsFd, BorrowedFd},
};

use injector_common::sleep::FILE_SIZE;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap},
};
use rustix::{fs::Advice, thread::CapabilitySet};

use crate::kernel::{bpf::sys, rights, sleep::heartbeat::Cells};

/// How often pages are given back, milliseconds.
const TIDY: u16 = 1000;

/// Runs until `injector`, a pipe, is closed by its other end. `whoami` is a program that tells who runs it.
pub(super) fn run(file: &File, whoami: BorrowedFd<'_>, injector: BorrowedFd<'_>, heartbeat: &Cells) {
    let mapped = map_slots(file, whoami);
    // Before anybody sleeps here. It works with more as well.
    let _ = rights::keep_in_process(CapabilitySet::empty());
    match mapped {
        Ok((number, address)) => heartbeat.made(number, address),
        Err(error) => heartbeat.failed(&error),
    }
    // Nothing is ever written there; when it is closed, that is an event that is always asked for.
    let closed = || {
        let mut pipe = [PollFd::new(injector, PollFlags::empty())];
        poll(&mut pipe, PollTimeout::from(TIDY)).is_ok_and(|count| count > 0)
    };
    while !closed() {
        // Those that are waited for are locked, and left alone (mm/truncate.c, `mapping_try_invalidate`).
        let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
    }
}

fn map_slots(file: &File, whoami: BorrowedFd<'_>) -> io::Result<(u32, u64)> {
    // Huge pages would want the lock (mm/khugepaged.c, `collapse_huge_page`).
    // SAFETY: numbers only.
    if unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let number = sys::run_program(whoami)?;
    let length =
        usize::try_from(FILE_SIZE).ok().and_then(NonZeroUsize::new).ok_or(io::ErrorKind::OutOfMemory)?;
    let flags = MapFlags::MAP_SHARED | MapFlags::MAP_NORESERVE;
    // SAFETY: a new mapping at an address of the kernel's choice; nobody here ever touches it.
    let slots = unsafe { mmap(None, length, ProtFlags::PROT_READ, flags, file.as_fd(), 0)? };
    // Each page by itself: no reading ahead into other slots.
    // SAFETY: our own mapping, and advice that changes no contents.
    unsafe { madvise(slots, length.get(), MmapAdvise::MADV_RANDOM)? };
    Ok((number, slots.as_ptr() as u64))
}
