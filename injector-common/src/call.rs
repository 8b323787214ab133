//! Which rules concern a system call, and by which security hook it is caught where system calls
//! themselves cannot be changed.

use bytemuck::{Pod, Zeroable};

use crate::argument::{ArgTest, MAX_TESTS};

/// Calls numbered per ABI; a number at or above this is none that a table knows.
pub const CALLS_PER_ABI: u32 = 1024;

/// The machine's own 64-bit calls.
pub const ABI_NATIVE: u32 = 0;
/// The 32-bit calls of a compatible machine: i386 on x86-64, AArch32 on arm64.
pub const ABI_COMPAT: u32 = 1;
/// x32: a 64-bit entry whose numbers carry [`X32_BIT`].
pub const ABI_X32: u32 = 2;
/// How many ABIs there are.
pub const ABIS: u32 = 3;

/// Marks an x32 call in the number that the kernel keeps (`__X32_SYSCALL_BIT`, asm/unistd.h).
pub const X32_BIT: u32 = 0x4000_0000;

/// The entry of the call table with the rules on packets, behind those of all calls.
pub const PACKETS: u32 = CALLS_PER_ABI * ABIS;

/// Entries of the call table.
pub const CALL_ENTRIES: u32 = PACKETS + 1;

/// The rules at one end of a call, in their order: entries `base..base + count` of the slot table.
///
/// Always read and written as one word, since a plan can change while calls are made: whoever reads it has
/// the old run of slots or the new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The first slot.
    pub base: u32,
    /// How many rules there are, at most [`crate::MAX_RULES`].
    pub count: u16,
    /// Who decides: one of the `BACKEND_` constants of [`crate::event`]. Other programs that see the call, on
    /// their way in or out, let it pass. 0 for packets.
    pub backend: u16,
}

impl Run {
    /// As it stands in the table.
    #[inline(always)]
    #[must_use]
    pub const fn word(self) -> u64 {
        self.base as u64 | (self.count as u64) << 32 | (self.backend as u64) << 48
    }

    /// What stands in the table.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the word is taken apart")]
    pub const fn of(word: u64) -> Self {
        Self { base: word as u32, count: (word >> 32) as u16, backend: (word >> 48) as u16 }
    }
}

/// One rule of one call.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Slot {
    /// The rule.
    pub rule: u32,
    /// The cell in each thread's state that counts its matches, see [`crate::thread::count`].
    pub cell: u32,
    /// How many of the tests count.
    pub tests: u32,
    /// Explicit padding.
    pub _pad: u32,
    /// What the call's arguments have to be, all of it.
    pub arguments: [ArgTest; MAX_TESTS],
}

impl Slot {
    /// Of a rule that asks nothing of the arguments.
    #[must_use]
    pub const fn of(rule: u32, cell: u32) -> Self {
        Self { rule, cell, tests: 0, _pad: 0, arguments: [ArgTest::ALWAYS; MAX_TESTS] }
    }
}

const _: () = assert!(size_of::<Slot>() == 16 + MAX_TESTS * size_of::<ArgTest>());

/// An entry of the call table.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct CallRules {
    /// A [`Run`] as a word: the rules that are asked before the call runs.
    pub run: u64,
    /// Another one: the rules that are asked when it has run.
    pub behind: u64,
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
    fn a_run_survives_the_table() {
        let run = Run { base: 0xdead_beef, count: 64, backend: 3 };
        assert_eq!(Run::of(run.word()), run);
        assert_eq!(Run::of(0), Run::default());
    }

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
