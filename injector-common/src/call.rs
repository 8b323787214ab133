//! Which rules concern a system call, and by which security hook it is caught where system calls
//! themselves cannot be changed.

use bytemuck::{Pod, Zeroable};

use crate::{
    argument::{ArgTest, MAX_TESTS},
    object::ObjectMatch,
};

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

/// The entry of the call table with the rules on packets, behind those of all calls.
pub const PACKETS: u32 = CALLS_PER_ABI * ABIS;

/// Security hooks; a hook's number, from 1, is at most this.
pub const MAX_HOOKS: u32 = 128;

/// Entries of the call table: behind the packets, one for each hook, with the rules on its operations.
pub const CALL_ENTRIES: u32 = PACKETS + 1 + MAX_HOOKS;

/// Where the rules on the operations at a hook stand.
#[inline(always)]
#[must_use]
pub const fn hook_entry(hook: u32) -> u32 {
    PACKETS + hook
}

/// What the draws for an operation are about, as those for a call are about its entry plus one.
#[inline(always)]
#[must_use]
pub const fn operation_object(operation: u32) -> u64 {
    2 * CALLS_PER_ABI as u64 * ABIS as u64 + operation as u64
}

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
    /// Who decides: a [`crate::code::BackendCode`]. Other programs that see the call, on
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

    /// Always 0, which the verifier cannot know: what loops begin with on their stack. Before 6.7 it follows
    /// a loop's callback once only, and would take what the loop begins with for what is always there.
    #[inline(always)]
    #[must_use]
    pub const fn zero(self) -> u32 {
        (self.count >> 15) as u32
    }

    /// What stands in the table.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the word is taken apart")]
    pub const fn of(word: u64) -> Self {
        Self { base: word as u32, count: (word >> 32) as u16, backend: (word >> 48) as u16 }
    }
}

/// One rule of one call, or of one operation at one hook.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Slot {
    /// The rule.
    pub rule: u32,
    /// The cell in each thread's state that counts its matches, see [`crate::thread::count`].
    pub cell: u32,
    /// The rule's place in the plan: what is asked first where rules on calls and on operations meet.
    pub order: u32,
    /// How many of the tests count.
    pub tests: u32,
    /// The operation's number in user space's table, from 1; 0 for a rule on calls.
    pub operation: u32,
    /// For an operation at a hook that says what is about to happen in a mask (`MAY_READ`, `MAY_WRITE`): only
    /// a run with one of these bits. 0 for any.
    pub mask: u32,
    /// For a call at its own function whose file is asked for: where the register with the descriptor is, as
    /// in [`ArgTest::first`].
    pub descriptor: u16,
    /// A second one, for calls with two; else the same.
    pub other: u16,
    /// Where the rule stands in the rules' table: at its number, or behind all numbers where it goes on with others.
    pub entry: u32,
    /// What the file or the socket has to be.
    pub object: ObjectMatch,
    /// What the call's arguments have to be, all of it.
    pub arguments: [ArgTest; MAX_TESTS],
}

impl Slot {
    /// Of a rule that asks for nothing, and stands at its number.
    #[must_use]
    pub fn of(rule: u32, cell: u32) -> Self {
        Self { rule, cell, entry: rule, arguments: [ArgTest::ALWAYS; MAX_TESTS], ..Self::zeroed() }
    }
}

const _: () = assert!(size_of::<Slot>() == 32 + size_of::<ObjectMatch>() + MAX_TESTS * size_of::<ArgTest>());

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
