//! A rule as the kernel side reads it: what was asked, resolved to numbers.

use bytemuck::{Pod, Zeroable};

use crate::{
    code::{FaultCode, MomentCode, ScopeCode},
    delay::Delay,
    netem::Netem,
    packet::PacketMatch,
    trigger::{Threshold, When},
};

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
    /// What the caller gets.
    pub fault: FaultCode,
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
    /// When it is asked.
    pub moment: MomentCode,
    /// What is counted together.
    pub scope: ScopeCode,
    /// How long the caller sleeps before the call, see [`crate::wait`].
    pub delay_enter: Delay,
    /// The same when the call has run.
    pub delay_exit: Delay,
    /// The bytes of the thread's name that are asked about; all zero for any name.
    pub comm_mask: [u64; 2],
    /// What they have to be.
    pub comm: [u64; 2],
    /// For [`FaultCode::CHOICE`]: errors, the likeliest place for each in ascending order.
    pub choices: [Choice; MAX_CHOICES],
    /// For packets: which ones.
    pub packets: PacketMatch,
    /// For [`FaultCode::NETEM`]: what happens to them.
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
        !matches!(self.fault, FaultCode::NONE)
    }

    /// Does somebody have to wait?
    #[inline(always)]
    #[must_use]
    pub const fn delays(&self) -> bool {
        self.delay_enter.base | self.delay_enter.jitter | self.delay_exit.base | self.delay_exit.jitter != 0
    }
}
