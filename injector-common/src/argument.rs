//! Predicates on the arguments of a call: `count>4096`, `flags&O_CREAT`, `fd=3`.
//!
//! Every one of them is a question whether some bits of a register lie in a range, which takes no branch: a
//! rule can have several, and the verifier walks through each way that branches can go.

use bytemuck::{Pod, Zeroable};

/// How many predicates one rule can have.
pub const MAX_TESTS: usize = 4;

/// One predicate: `(register & mask ^ bias) - low <= span`, or the opposite.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct ArgTest {
    /// The bits that count: those of the type, or fewer.
    pub mask: u64,
    /// The type's sign bit, so that negative values come before positive ones; 0 for types without one.
    pub bias: u64,
    /// Where the range begins.
    pub low: u64,
    /// How far it goes beyond that.
    pub span: u64,
    /// 1 if the value is to lie outside.
    pub invert: u32,
    /// Where the register is: a number from 0 to 5 in a plan, on the kernel side its offset in `pt_regs`.
    pub first: u16,
    /// Another register for which it may hold instead (a call with two descriptors); else the same.
    pub second: u16,
}

const _: () = assert!(size_of::<ArgTest>() == 40);

impl ArgTest {
    /// Holds always.
    pub const ALWAYS: Self =
        Self { mask: 0, bias: 0, low: 0, span: u64::MAX, invert: 0, first: 0, second: 0 };

    /// 1 if it holds for a register with this, else 0.
    #[inline(always)]
    #[must_use]
    pub const fn holds(&self, register: u64) -> u64 {
        let distance = (register & self.mask ^ self.bias).wrapping_sub(self.low);
        below(self.span, distance) ^ 1 ^ self.invert as u64
    }
}

/// 1 if `left < right`, else 0: the borrow of their difference, without a branch (Warren, Hacker's Delight,
/// 2-13).
#[inline(always)]
const fn below(left: u64, right: u64) -> u64 {
    ((!left & right) | ((!left | right) & left.wrapping_sub(right))) >> 63
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_descriptor_of_minus_100_is_found_whatever_the_upper_half_holds() {
        let sign = 1 << 31;
        let at_fdcwd =
            ArgTest { mask: 0xffff_ffff, bias: sign, low: 0xffff_ff9c ^ sign, span: 0, ..ArgTest::ALWAYS };
        for register in [0xffff_ff9c, 0xffff_ffff_ffff_ff9c, 0xdead_beef_ffff_ff9c] {
            assert_eq!(at_fdcwd.holds(register), 1, "{register:x}");
        }
        assert_eq!(at_fdcwd.holds(100), 0);
    }

    proptest! {
        #[test]
        fn a_range_is_a_range(register: u64, mask: u64, bias: u64, low: u64, span: u64, outside: bool) {
            let test = ArgTest { mask, bias, low, span, invert: outside.into(), first: 0, second: 0 };
            let inside = ((register & mask) ^ bias).wrapping_sub(low) <= span;
            prop_assert_eq!(test.holds(register), u64::from(inside != outside));
            prop_assert_eq!(ArgTest::ALWAYS.holds(register), 1);
        }

        #[test]
        fn below_is_less_than(left: u64, right: u64) {
            prop_assert_eq!(below(left, right), u64::from(left < right));
            prop_assert_eq!(below(left, left), 0);
        }
    }
}
