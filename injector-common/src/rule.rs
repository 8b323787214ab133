//! A rule as the kernel side reads it: what was asked, resolved to numbers.

use bytemuck::{Pod, Zeroable};

use crate::{
    packet::PacketMatch,
    trigger::{Threshold, When},
};

/// [`Rule::fault`]: the call returns [`Rule::value`] instead of running.
pub const FAULT_RETURN: u32 = 1;
/// [`Rule::fault`]: the packet is dropped.
pub const FAULT_DROP: u32 = 2;

/// One rule of a plan. Its number is its index in the rule map.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct Rule {
    /// What happens: one of the `FAULT_` constants.
    pub fault: u32,
    /// Keeps the alignment of what follows.
    pub _pad: u32,
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
    /// For packets: which ones.
    pub packets: PacketMatch,
}

const _: () = assert!(size_of::<Rule>() == 56 + size_of::<PacketMatch>() && align_of::<Rule>() == 8);
