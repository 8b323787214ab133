//! The cells that programs on other CPUs and user space change at the same time. `core` has no
//! read-modify-write for this target, and LLVM no relaxed loads below version 4 of the instruction set;
//! the kernel has had the atomic addition since 5.12, and every aligned load is one instruction.

use core::{arch::asm, sync::atomic::AtomicU64};

/// What is there now.
#[inline(always)]
pub fn get(cell: &AtomicU64) -> u64 {
    // SAFETY: an aligned and valid cell, read by one instruction.
    unsafe { cell.as_ptr().read_volatile() }
}

/// Puts `value` there.
#[inline(always)]
pub fn set(cell: &AtomicU64, value: u64) {
    // SAFETY: an aligned and valid cell, written by one instruction.
    unsafe { cell.as_ptr().write_volatile(value) };
}

/// Adds `value` and says what was there before.
#[inline(always)]
pub fn fetch_add(cell: &AtomicU64, value: u64) -> u64 {
    let before;
    // SAFETY: an aligned and valid cell; relaxed order is all that a counter needs.
    unsafe {
        asm!(
            "{value} = atomic_fetch_add((u64 *)({cell} + 0), {value})",
            cell = in(reg) cell.as_ptr(),
            value = inout(reg) value => before,
            options(nostack),
        );
    }
    before
}

/// Keeps only the bits of `mask`; says what was there before.
#[inline(always)]
pub fn fetch_and(cell: &AtomicU64, mask: u64) -> u64 {
    let before;
    // SAFETY: as above.
    unsafe {
        asm!(
            "{value} = atomic_fetch_and((u64 *)({cell} + 0), {value})",
            cell = in(reg) cell.as_ptr(),
            value = inout(reg) mask => before,
            options(nostack),
        );
    }
    before
}

/// Puts `new` there if it is `old` that is there; says what was there before.
#[inline(always)]
pub fn compare_exchange(cell: &AtomicU64, old: u64, new: u64) -> u64 {
    let before;
    // SAFETY: as above. The instruction takes and gives its word in r0.
    unsafe {
        asm!(
            "r0 = cmpxchg_64({cell} + 0, r0, {new})",
            cell = in(reg) cell.as_ptr(),
            new = in(reg) new,
            inout("r0") old => before,
            options(nostack),
        );
    }
    before
}

/// Puts `value` there if it is more than what is there; says what is there then. Two that are at it at the same
/// time may both have theirs.
#[inline(always)]
pub fn raise(cell: &AtomicU64, value: u64) -> u64 {
    let there = get(cell);
    if there >= value {
        return there;
    }
    compare_exchange(cell, there, value);
    value
}

/// Adds `value`.
#[inline(always)]
pub fn add(cell: &AtomicU64, value: u64) {
    // SAFETY: as above.
    unsafe {
        asm!(
            "lock *(u64 *)({cell} + 0) += {value}",
            cell = in(reg) cell.as_ptr(),
            value = in(reg) value,
            options(nostack),
        );
    }
}

/// Takes `value` away.
#[inline(always)]
pub fn subtract(cell: &AtomicU64, value: u64) {
    add(cell, value.wrapping_neg());
}

/// Takes one away.
#[inline(always)]
pub fn decrement(cell: &AtomicU64) {
    add(cell, u64::MAX);
}
