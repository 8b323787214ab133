//! How long something takes: netem's `delay TIME [JITTER [CORRELATION]] [distribution D]`, for packets and
//! for system calls.
//!
//! A distribution other than the uniform one is a table of its inverse cumulative distribution function,
//! in netem's scale: a value of 8192 is one jitter above the delay (include/uapi/linux/pkt_sched.h,
//! `NETEM_DIST_SCALE`). Correlation as in [`crate::chance`]: a delay is the last one again with that
//! probability, so that the distribution stays what was asked for; see [`crate::timing`].

use bytemuck::{Pod, Zeroable};

/// Entries of a table, as in the tables that come with tc.
pub const TABLE_SIZE: usize = 4096;

/// A distribution: the value at each of so many equal steps of the probability.
pub type Table = [i16; TABLE_SIZE];

/// Tables that one plan can have in the course of its changes.
pub const MAX_TABLES: usize = 32;

/// What a table calls one jitter, as a power of two.
pub const SCALE_BITS: u32 = 13;

/// [`Delay::table`]: every value from `base - jitter` to `base + jitter` is as likely as any other.
pub const UNIFORM: u32 = u32::MAX;

/// The longest delay and the largest jitter: an hour. Their sums and products fit 64 bits.
pub const LONGEST: u64 = 3_600_000_000_000;

/// A delay with its distribution. Times in nanoseconds.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Delay {
    /// The middle of the distribution.
    pub base: u64,
    /// Its width.
    pub jitter: u64,
    /// With which probability a draw is the last one again: a numerator over 2^32.
    pub repeat: u64,
    /// Which table, or [`UNIFORM`].
    pub table: u32,
    /// Explicit padding.
    pub _pad: u32,
}

impl Delay {
    /// Nothing is late.
    pub const NONE: Self = Self { base: 0, jitter: 0, repeat: 0, table: UNIFORM, _pad: 0 };

    /// The latest that a draw can make it, whatever its parts are: a table ends at four jitters.
    #[must_use]
    pub const fn latest(&self) -> u64 {
        let widths = if self.table == UNIFORM { 1 } else { 4 };
        self.base.saturating_add(self.jitter.saturating_mul(widths))
    }

    /// The delay for a draw from `0..2^32`, by `table` if the distribution is not the uniform one. What would
    /// be negative is nothing, as in netem.
    #[inline(always)]
    #[must_use]
    pub const fn time(&self, table: Option<&Table>, draw: u64) -> u64 {
        let offset = match table {
            // From -jitter up to jitter, without the latter, as in netem.
            None => share(2 * self.jitter, draw).cast_signed() - self.jitter.cast_signed(),
            Some(table) => {
                let value = table[(draw >> (32 - 12)) as usize & (TABLE_SIZE - 1)];
                // An hour in nanoseconds times 2^15 is below 2^57.
                (self.jitter.cast_signed() * value as i64 + (1 << (SCALE_BITS - 1))) >> SCALE_BITS
            }
        };
        let time = self.base.cast_signed() + offset;
        // Without a branch: all ones where the sign is.
        (time & !(time >> 63)).cast_unsigned()
    }
}

/// `value * draw / 2^32`, for values beyond 32 bits.
#[inline(always)]
const fn share(value: u64, draw: u64) -> u64 {
    (value >> 32) * draw + (((value & 0xffff_ffff) * draw) >> 32)
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "times that a double holds exactly")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        random::draw,
        statistics::{PACKETS, correlation, kolmogorov_smirnov},
    };

    const MILLISECOND: u64 = 1_000_000;

    const DELAY: Delay = Delay { base: 100 * MILLISECOND, jitter: 20 * MILLISECOND, ..Delay::NONE };

    fn times(delay: &Delay, table: Option<&Table>) -> Vec<f64> {
        let time = |n| delay.time(table, draw(11, 0, 0, n)) as f64 / MILLISECOND as f64;
        (1..=PACKETS).map(time).collect()
    }

    #[test]
    fn without_jitter_it_is_constant() {
        let constant = Delay { jitter: 0, ..DELAY };
        assert!(times(&constant, None).iter().all(|&time| time == 100.0));
    }

    #[test]
    fn uniform_jitter_is_uniform() {
        let times = times(&DELAY, None);
        assert!(times.iter().all(|time| (80.0..120.0).contains(time)));
        assert!(correlation(&times, 1).abs() < 0.01);
        let distance = kolmogorov_smirnov(times, |time| (time - 80.0) / 40.0);
        assert!(distance < 1.95, "{distance}");
    }

    #[test]
    fn a_table_is_read_as_netem_reads_it() {
        let mut table = [0; TABLE_SIZE];
        table[0] = -16384;
        table[1] = 4096;
        table[TABLE_SIZE - 1] = 32767;
        let at = |entry: u64| DELAY.time(Some(&table), entry << 20);
        assert_eq!(at(0), 60 * MILLISECOND);
        assert_eq!(at(1), 110 * MILLISECOND);
        assert_eq!(at(2), 100 * MILLISECOND);
        // 100 ms + 20 ms * 32767 / 8192, rounded.
        assert_eq!(at(TABLE_SIZE as u64 - 1), 179_997_559);
        let short = Delay { base: 10 * MILLISECOND, ..DELAY };
        assert_eq!(short.time(Some(&table), 0), 0);
    }

    proptest! {
        #[test]
        fn nothing_overflows(base in 0..=LONGEST, jitter in 0..=LONGEST, value: i16, draw in 0u64..1 << 32) {
            let delay = Delay { base, jitter, ..DELAY };
            let wide = i128::from(base) + ((i128::from(jitter) * i128::from(value) + 4096) >> 13);
            prop_assert_eq!(i128::from(delay.time(Some(&[value; TABLE_SIZE]), draw)), wide.max(0));
            let wide = i128::from(base) + ((i128::from(jitter) * 2 * i128::from(draw)) >> 32) - i128::from(jitter);
            prop_assert_eq!(i128::from(delay.time(None, draw)), wide.max(0));
        }
    }
}
