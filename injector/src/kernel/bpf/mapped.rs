//! The plan's shared memory, mapped: what the programs read without a lookup, this side writes.

use std::{
    io, num::NonZeroUsize, ops::Deref, os::fd::BorrowedFd, ptr::NonNull, sync::atomic::Ordering::SeqCst,
};

use injector_common::shared::{Shared, pause_bit};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::clock;

/// A mapping of the map `.bss.shared`, ours or another injector's.
#[derive(Debug)]
pub struct SharedMemory(NonNull<Shared>);

// SAFETY: all of Shared is atomics, and the mapping is not bound to a thread.
unsafe impl Send for SharedMemory {}
// SAFETY: as above.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// Maps it. The map has to have been made with `BPF_F_MMAPABLE`.
    pub fn map(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let length = length();
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice; the kernel checks that the map is
        // at least this large.
        let address = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, fd, 0)? };
        Ok(Self(address.cast()))
    }

    /// Switches a rule off, or on again, by one store. What is decided after the moment that comes back, in nanoseconds of
    /// `CLOCK_BOOTTIME`, is decided by that.
    pub fn pause(&self, rule: u32, paused: bool) -> u64 {
        let (word, bit) = pause_bit(rule);
        if paused {
            self.paused[word].fetch_or(bit, SeqCst);
        } else {
            self.paused[word].fetch_and(!bit, SeqCst);
        }
        clock::now()
    }

    /// Is a rule switched off?
    pub fn is_paused(&self, rule: u32) -> bool {
        let (word, bit) = pause_bit(rule);
        self.paused[word].load(SeqCst) & bit != 0
    }
}

fn length() -> NonZeroUsize {
    NonZeroUsize::new(size_of::<Shared>()).unwrap_or(NonZeroUsize::MIN)
}

impl Deref for SharedMemory {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        // SAFETY: mapped until drop, aligned to a page, and every bit pattern is a value.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: our own mapping; nothing refers to it any more.
        if let Err(error) = unsafe { munmap(self.0.cast(), length().get()) } {
            tracing::warn!(%error, "cannot unmap the shared memory");
        }
    }
}
