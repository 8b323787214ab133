//! Which rules concern a system call, and by which security hook it is caught where system calls
//! themselves cannot be changed.

use bytemuck::{Pod, Zeroable};

/// Calls numbered per ABI; a number at or above this is none that a table knows.
pub const CALLS_PER_ABI: u32 = 1024;

/// The machine's own 64-bit calls.
pub const ABI_NATIVE: u32 = 0;
/// The 32-bit calls of a compatible machine: i386 on x86-64, AArch32 on arm64.
pub const ABI_COMPAT: u32 = 1;
/// x32: a 64-bit entry whose numbers carry [`X32_BIT`].
pub const ABI_X32: u32 = 2;
/// No call at all: a worker of io_uring, which has none.
pub const ABI_NONE: u32 = 3;
/// How many ABIs there are.
pub const ABIS: u32 = 3;

/// Marks an x32 call in the number that the kernel keeps (`__X32_SYSCALL_BIT`, asm/unistd.h).
pub const X32_BIT: u32 = 0x4000_0000;

/// Entries of the call table.
pub const CALL_ENTRIES: u32 = CALLS_PER_ABI * ABIS;

/// The rules of one call: entries `base..base + count` of the slot table, in the order of the plan.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct CallRules {
    /// The first slot; also the first of the call's counters in each thread's state.
    pub base: u32,
    /// How many rules name this call, at most [`crate::MAX_RULES`].
    pub count: u32,
    /// The security hooks that decide for this call, when the hook backend does: numbers of user space's
    /// table, the second for calls that go one way or another (unlinkat). 0 for none.
    pub hooks: [u16; 2],
    /// For hooks that say what is about to happen in a mask (`MAY_READ`, `MAY_WRITE`): only a run with
    /// one of these bits decides. 0 for hooks without a mask.
    pub mask: u32,
}

/// Where the rules of call `number` stand in the call table, by the entry that it came by
/// ([`ABI_NATIVE`] or [`ABI_COMPAT`]) and the number as the kernel keeps it. `None` for a number that no
/// table knows.
#[inline(always)]
#[must_use]
pub const fn entry(abi: u32, number: u32) -> Option<u32> {
    let (abi, number) =
        if abi == ABI_NATIVE && number & X32_BIT != 0 { (ABI_X32, number & !X32_BIT) } else { (abi, number) };
    if number < CALLS_PER_ABI && abi < ABIS { Some(abi * CALLS_PER_ABI + number) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_do_not_overlap() {
        assert_eq!(entry(ABI_NATIVE, 0), Some(0));
        assert_eq!(entry(ABI_NATIVE, 1023), Some(1023));
        assert_eq!(entry(ABI_COMPAT, 0), Some(1024));
        assert_eq!(entry(ABI_NATIVE, X32_BIT | 3), Some(2051));
        assert_eq!(entry(ABI_NATIVE, 1024), None);
        assert_eq!(entry(ABI_COMPAT, X32_BIT), None);
        assert_eq!(entry(3, 0), None);
        assert_eq!(entry(ABI_NATIVE, u32::MAX), None);
    }
}
