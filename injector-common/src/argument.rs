//! Predicates on the arguments of a call: `count>4096`, `flags&O_CREAT`, `fd=3`.

use bytemuck::{Pod, Zeroable};

/// How many predicates one rule can have.
pub const MAX_TESTS: usize = 4;

/// [`ArgTest::relation`]: nothing is asked.
pub const NONE: u8 = 0;
/// [`ArgTest::relation`]: `=` and, behind a mask, "these bits are so".
pub const EQUAL: u8 = 1;
/// [`ArgTest::relation`]: `!=`.
pub const UNEQUAL: u8 = 2;
/// [`ArgTest::relation`]: `<`.
pub const BELOW: u8 = 3;
/// [`ArgTest::relation`]: `>`.
pub const ABOVE: u8 = 4;
/// [`ArgTest::relation`]: one of the mask's bits is set.
pub const ANY_BIT: u8 = 5;

/// [`ArgTest::second`]: there is none.
pub const NO_ARGUMENT: u8 = 0xff;

/// One predicate. Its values are as wide as a register: a narrower argument is extended first, by its own
/// sign.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ArgTest {
    /// Which argument, 0 to 5.
    pub first: u8,
    /// Another one for which it may hold instead (a call with two descriptors), or [`NO_ARGUMENT`].
    pub second: u8,
    /// What is asked: one of the constants above.
    pub relation: u8,
    /// 1 if only the lower 32 bits of the register count.
    pub narrow: u8,
    /// 1 if the value has a sign.
    pub signed: u32,
    /// Taken from the argument before it is compared.
    pub mask: u64,
    /// What it is compared with.
    pub value: u64,
}

const _: () = assert!(size_of::<ArgTest>() == 24);

impl ArgTest {
    /// Does it hold for an argument whose register has this?
    #[inline(always)]
    #[must_use]
    pub const fn holds(&self, register: u64) -> bool {
        let value = self.read(register);
        match self.relation {
            EQUAL => value & self.mask == self.value,
            UNEQUAL => value & self.mask != self.value,
            BELOW if self.signed != 0 => value.cast_signed() < self.value.cast_signed(),
            BELOW => value < self.value,
            ABOVE if self.signed != 0 => value.cast_signed() > self.value.cast_signed(),
            ABOVE => value > self.value,
            ANY_BIT => value & self.mask != 0,
            _ => true,
        }
    }

    /// The argument's value: what a C function with a parameter of that type would see.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "that is what is wanted")]
    const fn read(&self, register: u64) -> u64 {
        match (self.narrow, self.signed) {
            (0, _) => register,
            (_, 0) => register as u32 as u64,
            _ => register as i32 as i64 as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn test(relation: u8, narrow: bool, signed: bool, mask: u64, value: i64) -> ArgTest {
        ArgTest {
            first: 0,
            second: NO_ARGUMENT,
            relation,
            narrow: u8::from(narrow),
            signed: u32::from(signed),
            mask,
            value: value.cast_unsigned(),
        }
    }

    #[test]
    fn a_descriptor_of_minus_100_is_found_whatever_the_upper_half_holds() {
        let at_fdcwd = test(EQUAL, true, true, u64::MAX, -100);
        for register in [0xffff_ff9c, 0xffff_ffff_ffff_ff9c, 0xdead_beef_ffff_ff9c] {
            assert!(at_fdcwd.holds(register), "{register:x}");
        }
        assert!(!at_fdcwd.holds(100));
    }

    #[test]
    fn masks_ask_for_bits() {
        let creates = test(ANY_BIT, true, false, 0o100, 0);
        assert!(creates.holds(0o101) && !creates.holds(0o1));
        let write_only = test(EQUAL, true, false, 3, 1);
        assert!(write_only.holds(0o101) && !write_only.holds(2) && !write_only.holds(0));
        let other = test(UNEQUAL, true, false, 3, 1);
        assert!(!other.holds(0o101) && other.holds(2));
    }

    #[test]
    fn nothing_asked_always_holds() {
        assert!(ArgTest::default().holds(7));
    }

    proptest! {
        #[test]
        fn comparisons_are_those_of_the_type(high: u32, low: u32, value: i64, narrow: i32) {
            let register = u64::from(high) << 32 | u64::from(low);
            let unsigned = i64::from(narrow.cast_unsigned());
            prop_assert_eq!(
                test(BELOW, true, true, 0, narrow.into()).holds(register),
                low.cast_signed() < narrow
            );
            prop_assert_eq!(test(ABOVE, true, false, 0, unsigned).holds(register), i64::from(low) > unsigned);
            prop_assert_eq!(test(BELOW, false, true, 0, value).holds(register), register.cast_signed() < value);
            prop_assert_eq!(
                test(ABOVE, false, false, 0, value).holds(register),
                register > value.cast_unsigned()
            );
            prop_assert_eq!(
                test(EQUAL, false, false, u64::MAX, value).holds(register),
                register == value.cast_unsigned()
            );
        }
    }
}
