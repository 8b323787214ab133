//! Memory that this process shares with the programs or with its helpers: mapped as long as a value lives.

use std::{
    fmt, io,
    num::NonZeroUsize,
    ops::Deref,
    os::fd::BorrowedFd,
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

use injector_common::shared::{Shared, pause_bit};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use crate::clock;

/// What can be shared so.
///
/// # Safety
/// It is made of atomics alone: zeroes are a value, and so is whatever somebody else writes at any time. It needs no
/// more alignment than a page has.
pub unsafe trait Shareable: Sync {}

// SAFETY: all of it is atomics.
unsafe impl Shareable for Shared {}
// SAFETY: an atomic.
unsafe impl Shareable for AtomicU64 {}

/// A mapping of shared memory: a `T`, or a slice of them.
pub struct Mapped<T: ?Sized>(NonNull<T>);

/// A mapping of the map `.bss.shared`, ours or another injector's: what the programs read without a lookup, this side
/// writes.
pub type SharedMemory = Mapped<Shared>;

// SAFETY: the mapping is not bound to a thread, and is reached by shared references only.
unsafe impl<T: ?Sized + Sync> Send for Mapped<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for Mapped<T> {}

const READ_WRITE: ProtFlags = ProtFlags::PROT_READ.union(ProtFlags::PROT_WRITE);

impl<T: Shareable> Mapped<T> {
    /// Maps what is in an array map of one element. It has to have been made with `BPF_F_MMAPABLE`.
    ///
    /// # Errors
    /// mmap(2)'s: the map was made without the flag, or there is no memory.
    pub fn map(map: BorrowedFd<'_>) -> io::Result<Self> {
        array::<T>(map, 1).map(Self)
    }

    /// Zeroes, shared with the processes that are forked from here.
    pub(crate) fn anonymous() -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let memory = unsafe { mmap_anonymous(None, length::<T>(1)?, READ_WRITE, MapFlags::MAP_SHARED)? };
        Ok(Self(memory.cast()))
    }
}

impl<T: Shareable> Mapped<[T]> {
    /// Maps the first `count` such things in an array map. It has to have been made with `BPF_F_MMAPABLE`.
    pub(crate) fn map(map: BorrowedFd<'_>, count: usize) -> io::Result<Self> {
        array(map, count).map(|start| Self(NonNull::slice_from_raw_parts(start, count)))
    }
}

impl SharedMemory {
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

fn array<T: Shareable>(map: BorrowedFd<'_>, count: usize) -> io::Result<NonNull<T>> {
    // SAFETY: a new mapping at an address of the kernel's choice; the kernel checks that the map is at least this large
    // (kernel/bpf/arraymap.c, `array_map_mmap`).
    let start = unsafe { mmap(None, length::<T>(count)?, READ_WRITE, MapFlags::MAP_SHARED, map, 0)? };
    Ok(start.cast())
}

fn length<T>(count: usize) -> io::Result<NonZeroUsize> {
    let bytes = size_of::<T>().checked_mul(count).and_then(NonZeroUsize::new);
    bytes.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

impl<T: ?Sized> Deref for Mapped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: mapped until drop, aligned to a page, and by `Shareable` always a value.
        unsafe { self.0.as_ref() }
    }
}

impl<T: ?Sized> fmt::Debug for Mapped<T> {
    /// Where it is: what is in it changes at any time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mapped").field(&self.0).finish()
    }
}

impl<T: ?Sized> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: our own mapping; nothing refers to it any more.
        if let Err(error) = unsafe { munmap(self.0.cast(), size_of_val::<T>(self)) } {
            tracing::warn!(%error, "cannot unmap shared memory");
        }
    }
}
