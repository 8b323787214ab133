//! A rule as the kernel side reads it: what was asked, resolved to numbers.

use bytemuck::{Pod, Zeroable};

use crate::{
    delay::Delay,
    netem::Netem,
    packet::PacketMatch,
    trigger::{Threshold, When},
};

/// [`Rule::fault`]: the call's result stays its own; there is a signal, or a delay.
pub const FAULT_NONE: u32 = 0;
/// [`Rule::fault`]: the call returns [`Rule::value`].
pub const FAULT_RETURN: u32 = 1;
/// [`Rule::fault`]: the packet is dropped.
pub const FAULT_DROP: u32 = 2;
/// [`Rule::fault`]: the call returns one of [`Rule::choices`].
pub const FAULT_CHOICE: u32 = 3;

/// [`Rule::fault`]: packets meet what [`Rule::netem`] says.
pub const FAULT_NETEM: u32 = 4;
/// [`Rule::fault`]: the packet is dropped and answered as [`Rule::value`] asks, see [`crate::reject`].
pub const FAULT_REJECT: u32 = 5;
/// [`Rule::fault`]: a question for a name is dropped and answered as [`Rule::value`] asks, see [`crate::dns`].
pub const FAULT_DNS: u32 = 6;

/// [`Rule::moment`]: before the call runs; it does not run then.
pub const AT_ENTRY: u32 = 0;
/// [`Rule::moment`]: when it has run, whatever came of it.
pub const AT_EXIT: u32 = 1;
/// [`Rule::moment`]: when it has run and is about to return no error.
pub const ON_SUCCESS: u32 = 2;
/// [`Rule::moment`]: when it has run and is about to return an error.
pub const ON_FAILURE: u32 = 3;

/// [`Rule::scope`]: matches are counted for each thread.
pub const SCOPE_THREAD: u32 = 0;
/// [`Rule::scope`]: matches are counted for all threads of a process together.
pub const SCOPE_PROCESS: u32 = 1;
/// [`Rule::scope`]: all matches of the rule are counted together.
pub const SCOPE_RULE: u32 = 2;

/// Errors that one rule can choose from.
pub const MAX_CHOICES: usize = 8;

/// One of several errors, see [`crate::decide::result`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Choice {
    /// Draws below this, and not below that of the choices before, take it: a numerator over 2^32.
    /// [`Choice::UNUSED`] behind the last one.
    pub below: u64,
    /// What the call returns then: a negative errno.
    pub value: i64,
}

impl Choice {
    /// Above all draws.
    pub const UNUSED: u64 = 1 << 62;
}

/// One rule of a plan. Its number is its index in the rule map.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct Rule {
    /// What the caller gets: one of the `FAULT_` constants.
    pub fault: u32,
    /// A signal for the thread, 1 to 64; 0 for none.
    pub signal: u32,
    /// What a failed call returns: a negative errno, or any value.
    pub value: i64,
    /// Of the matches, which ones may fire.
    pub when: When,
    /// Of those, how many: a numerator over 2^32.
    pub threshold: Threshold,
    /// At most this many in all; 0 for no limit.
    pub times: u64,
    /// The seed of this rule's draws, see [`crate::random::rule_seed`].
    pub seed: u64,
    /// One of `AT_ENTRY` and its like.
    pub moment: u32,
    /// One of the `SCOPE_` constants.
    pub scope: u32,
    /// How long the caller sleeps before the call, see [`crate::wait`].
    pub delay_enter: Delay,
    /// The same when the call has run.
    pub delay_exit: Delay,
    /// The bytes of the thread's name that are asked about; all zero for any name.
    pub comm_mask: [u64; 2],
    /// What they have to be.
    pub comm: [u64; 2],
    /// For [`FAULT_CHOICE`]: errors, the likeliest place for each in ascending order.
    pub choices: [Choice; MAX_CHOICES],
    /// For packets: which ones.
    pub packets: PacketMatch,
    /// For [`FAULT_NETEM`]: what happens to them.
    pub netem: Netem,
}

const _: () = assert!(
    size_of::<Rule>()
        == 96
            + 2 * size_of::<Delay>()
            + MAX_CHOICES * size_of::<Choice>()
            + size_of::<PacketMatch>()
            + size_of::<Netem>()
        && align_of::<Rule>() == 8
);

impl Rule {
    /// Does it give the call a result of its own?
    #[inline(always)]
    #[must_use]
    pub const fn decides(&self) -> bool {
        self.fault != FAULT_NONE
    }

    /// Does somebody have to wait?
    #[inline(always)]
    #[must_use]
    pub const fn delays(&self) -> bool {
        self.delay_enter.base | self.delay_enter.jitter | self.delay_exit.base | self.delay_exit.jitter != 0
    }
}
