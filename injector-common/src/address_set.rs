//! The addresses and ports that rules on packets mean: elements of sets, in one trie by the longest prefix
//! (`BPF_MAP_TYPE_LPM_TRIE`, kernel/bpf/lpm_trie.c). A look-up walks one node for each bit in which elements on
//! its way differ, however many there are besides.
//!
//! A rule has a set for each of its words and families. The set's number comes from the rule's, which no other
//! rule of the plan ever gets, so a change of a live plan touches no set of a rule that goes on.

use bytemuck::{Pod, Zeroable};

/// Networks of IPv4 that a packet can come from.
pub const FROM_V4: u32 = 0;
/// The same of IPv6.
pub const FROM_V6: u32 = 1;
/// Networks of IPv4 that it can go to.
pub const TO_V4: u32 = 2;
/// The same of IPv6.
pub const TO_V6: u32 = 3;
/// Source ports.
pub const SOURCE: u32 = 4;
/// Destination ports.
pub const DESTINATION: u32 = 5;
/// Ports at either end.
pub const EITHER: u32 = 6;

/// Added to one of these: the set behind `not`.
pub const BARRED: u32 = 8;

/// Elements that the rules of a plan can have together. While a plan changes there are those of both.
pub const MAX_ELEMENTS: u32 = 1 << 17;

/// The number of a rule's set of one kind: one of [`FROM_V4`] and its like.
#[inline(always)]
#[must_use]
pub const fn set(rule: u32, kind: u32) -> u32 {
    rule << 4 | kind
}

/// An element, a whole network or a block of ports, or what is looked for, with all its bits: the trie's key
/// (`struct bpf_lpm_trie_key`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
pub struct Element {
    /// How many bits count, those of `set` included.
    pub bits: u32,
    /// Which set.
    pub set: u32,
    /// The address in network order, IPv4 in its mapped form; or the port in network order, and zeroes.
    pub value: [u8; 16],
}

impl Element {
    const SET: u32 = 32;

    /// A network of `length` bits (an IPv4 network of n bits is 96 + n), or an address (128).
    #[inline(always)]
    #[must_use]
    pub const fn network(set: u32, value: [u8; 16], length: u32) -> Self {
        Self { bits: Self::SET + length, set, value }
    }

    /// Ports that have the first `length` bits in common with `port`.
    #[inline(always)]
    #[must_use]
    pub const fn ports(set: u32, port: u16, length: u32) -> Self {
        let [high, low] = port.to_be_bytes();
        let value = [high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Self { bits: Self::SET + length, set, value }
    }
}

/// The blocks of ports that make up a range, at most 30 of them: each with its first port and how many bits
/// its ports have in common.
#[derive(Clone, Debug)]
pub struct Blocks {
    next: u32,
    last: u32,
}

impl Blocks {
    /// Those of `low..=high`.
    #[must_use]
    pub const fn of(low: u16, high: u16) -> Self {
        Self { next: low as u32, last: high as u32 }
    }
}

impl Iterator for Blocks {
    type Item = (u16, u32);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next > self.last {
            return None;
        }
        // The largest that begins here and does not go too far.
        let aligned = self.next.trailing_zeros().min(16);
        let fits = (self.last - self.next + 1).ilog2();
        let free = aligned.min(fits);
        let first = u16::try_from(self.next).ok()?;
        self.next += 1 << free;
        Some((first, 16 - free))
    }
}

/// What is asked whether a set has it.
pub trait Sets {
    /// Is `wanted`, with all its bits, in a network or block of its set?
    fn have(&mut self, wanted: Element) -> bool;
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The trie, told again.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Listed(pub(crate) Vec<Element>);

    impl Sets for Listed {
        fn have(&mut self, wanted: Element) -> bool {
            let bits = |element: &Element| {
                let value = u128::from_be_bytes(element.value);
                let length = element.bits - Element::SET;
                if length == 0 { 0 } else { value >> (128 - length) << (128 - length) }
            };
            self.0.iter().any(|element| {
                let cut = Element { bits: element.bits, ..wanted };
                element.set == wanted.set && element.bits <= wanted.bits && bits(element) == bits(&cut)
            })
        }
    }

    proptest! {
        #[test]
        fn blocks_are_the_range(a: u16, b: u16, port: u16) {
            let (low, high) = (a.min(b), a.max(b));
            let blocks: Vec<_> = Blocks::of(low, high).collect();
            prop_assert!(blocks.len() <= 30);
            let sizes = blocks.iter().map(|&(_, length)| 1_u32 << (16 - length));
            prop_assert_eq!(sizes.sum::<u32>(), u32::from(high) - u32::from(low) + 1);
            let mut all = Listed(blocks.iter().map(|&(port, length)| Element::ports(7, port, length)).collect());
            for near in [port, low, high, low.wrapping_sub(1), high.wrapping_add(1)] {
                prop_assert_eq!(all.have(Element::ports(7, near, 16)), (low..=high).contains(&near));
                prop_assert!(!all.have(Element::ports(8, near, 16)));
            }
        }
    }

    #[test]
    fn the_longest_range_of_all_is_two_blocks_short_of_its_ends() {
        assert_eq!(Blocks::of(1, u16::MAX - 1).count(), 30);
        assert_eq!(Blocks::of(0, u16::MAX).collect::<Vec<_>>(), [(0, 0)]);
        assert_eq!(Blocks::of(80, 80).collect::<Vec<_>>(), [(80, 16)]);
    }
}
