//! Which names a rule on questions means: its names in one trie by the longest prefix (`BPF_MAP_TYPE_LPM_TRIE`,
//! kernel/bpf/lpm_trie.c), once as they are written and once backwards, so that two look-ups say of any number of
//! names whether one of them is meant, `*` included.
//!
//! `front*back` stands for every name that begins with the one, ends with the other and is long enough for both. Each
//! such pattern has a bit, which it sets at its front in the trie of heads and at its back in the trie of tails; what
//! is found has all bits of what is shorter, too. A name is meant if both look-ups have a bit in common. Patterns with
//! nothing in front of the `*`, and names without one, share a bit, since their tail alone decides.

use bytemuck::{Pod, Zeroable};

/// Letters of a name, its dots included, at most: 255 bytes on the wire (RFC 1035, 2.3.4) are two more.
pub const LETTERS: usize = 253;

/// Elements that the rules of a plan can have together. While a plan changes there are those of both.
pub const MAX_NAMES: u32 = 1 << 16;

/// Which trie of a rule: names from their first letter on, or from their last one back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// From the first letter on.
    Head,
    /// From the last letter back.
    Tail,
}

/// An element of a trie, or what is looked for: the trie's key (`struct bpf_lpm_trie_key`), as long as one can be
/// (`LPM_KEY_SIZE_MAX`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
pub struct NameKey {
    /// How many bits count, those of `set` included.
    pub bits: u32,
    /// Which rule, and which of its tries.
    pub set: u16,
    /// The name and a zero behind it; without the zero, how names begin or end.
    pub text: [u8; LETTERS + 1],
}

const _: () = assert!(size_of::<NameKey>() == 260);

impl NameKey {
    /// The number of a rule's trie.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "rules' numbers are below 1024")]
    pub const fn set(rule: u32, end: End) -> u16 {
        (rule as u16) << 1 | end as u16
    }

    /// How many bits count where so many bytes do.
    #[inline(always)]
    #[must_use]
    pub const fn bits(bytes: u32) -> u32 {
        16 + 8 * bytes
    }
}

/// What look-ups of a name in both tries of a rule have found says whether the rule means it.
#[inline(always)]
#[must_use]
pub const fn meant(head: u64, tail: u64) -> bool {
    head & tail != 0
}

#[cfg(not(target_arch = "bpf"))]
pub use self::patterns::{FRONTS, elements, too_many_fronts};

#[cfg(not(target_arch = "bpf"))]
mod patterns;
