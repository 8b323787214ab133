//! Zeroes that stay single stores. LLVM makes a call of memset of several in a row, and the one that this target has
//! (compiler-builtins) writes byte by byte: some six instructions a byte, on the way of every call of a target.

use core::arch::asm;

/// A zero whose value the compiler does not know.
#[inline(always)]
pub fn word() -> u32 {
    let zero;
    // SAFETY: a register.
    unsafe { asm!("{zero} = 0", zero = out(reg) zero, options(pure, nomem, nostack)) };
    zero
}

/// Writes zeroes over the words of `*place`.
///
/// # Safety
/// `place` is aligned to 8 bytes and has room for a `T`, whose size is a multiple of 8.
#[inline(always)]
pub unsafe fn fill<T>(place: *mut T) {
    const { assert!(size_of::<T>().is_multiple_of(8), "made of words") };
    let words = place.cast::<u64>();
    let mut nth = 0;
    while nth < size_of::<T>() / 8 {
        // SAFETY: the caller's; volatile, so that each store stays one.
        unsafe { words.add(nth).write_volatile(0) };
        nth += 1;
    }
}
