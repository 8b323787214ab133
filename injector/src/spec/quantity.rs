//! Times and rates in tc's units: a decimal number with its unit, kept exact.

use crate::spec::{error::Located, problem::NetemProblem, word::Word};

/// Nanoseconds of tc's units of time (tc(8)), and of its `ns`.
const TIMES: [(&str, u128); 13] = [
    ("nsecs", 1),
    ("nsec", 1),
    ("usecs", 1_000),
    ("usec", 1_000),
    ("msecs", 1_000_000),
    ("msec", 1_000_000),
    ("secs", 1_000_000_000),
    ("sec", 1_000_000_000),
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
];

/// tc's prefixes of a rate.
const PREFIXES: [(&str, u128); 9] = [
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
    ("ti", 1 << 40),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("t", 1_000_000_000_000),
    ("", 1),
];

/// A time such as `100ms` or `1.5s` in nanoseconds; `None` if it is none.
pub(crate) fn nanoseconds(text: &str) -> Option<u64> {
    let unit = |(unit, scale)| Some((text.strip_suffix(unit)?, scale));
    let (number, scale) = TIMES.into_iter().find_map(unit)?;
    scaled(number, scale)
}

/// Reads a time of a rule.
pub(super) fn time(word: Word<'_>) -> Result<u64, Located> {
    if let Some(value) = nanoseconds(word.text) {
        return Ok(value);
    }
    let problem =
        if scaled(word.text, 1).is_some() { NetemProblem::TimeWithoutUnit } else { NetemProblem::Time };
    Err(word.problem(problem(word.text.into())))
}

/// The shortest text that reads back as this time.
pub(super) fn show_time(nanoseconds: u64) -> String {
    let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
    let (unit, scale) =
        units.into_iter().find(|(_, scale)| nanoseconds.is_multiple_of(*scale)).unwrap_or(("ns", 1));
    format!("{}{unit}", nanoseconds / scale)
}

/// Reads a rate such as `1mbit` (bits per second) or `125kbps` (bytes per second) as bits per second.
pub(super) fn rate(word: Word<'_>) -> Result<u64, Located> {
    let text = word.text.to_ascii_lowercase();
    let stem = text.strip_suffix("bit").map(|stem| (stem, 1));
    let stem = stem.or_else(|| text.strip_suffix("bps").map(|stem| (stem, 8)));
    if let Some((stem, bits)) = stem {
        let prefix = |(prefix, scale)| Some((stem.strip_suffix(prefix)?, scale));
        let found = PREFIXES.into_iter().find_map(prefix);
        if let Some(value) = found.and_then(|(number, scale)| scaled(number, scale * bits)) {
            return if value == 0 {
                Err(word.problem(NetemProblem::NoRate(word.text.into())))
            } else {
                Ok(value)
            };
        }
    }
    let problem =
        if scaled(word.text, 1).is_some() { NetemProblem::RateWithoutUnit } else { NetemProblem::Rate };
    Err(word.problem(problem(word.text.into())))
}

/// The shortest text that reads back as this rate.
pub(super) fn show_rate(bits: u64) -> String {
    let units = [
        ("tbit", 1_000_000_000_000),
        ("gbit", 1_000_000_000),
        ("mbit", 1_000_000),
        ("kbit", 1_000),
        ("bit", 1),
    ];
    let (unit, scale) =
        units.into_iter().find(|(_, scale)| bits.is_multiple_of(*scale)).unwrap_or(("bit", 1));
    format!("{}{unit}", bits / scale)
}

/// tc's units of a size, each before those that it ends with; its `k` is 1024.
const SIZES: [(&str, u128); 7] = [
    ("kb", 1 << 10),
    ("mb", 1 << 20),
    ("gb", 1 << 30),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("b", 1),
];

/// A size with its unit, such as `64kb`, in bytes; `None` if it is none.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let unit = |(unit, scale)| Some((text.strip_suffix(unit)?, scale));
    let (number, scale) = SIZES.into_iter().find_map(unit)?;
    scaled(number, scale)
}

/// Reads a size of a rule.
pub(super) fn size(word: Word<'_>) -> Result<u64, Located> {
    bytes(word.text).filter(|&bytes| bytes > 0).ok_or_else(|| {
        let problem =
            if scaled(word.text, 1).is_some() { NetemProblem::SizeWithoutUnit } else { NetemProblem::Size };
        word.problem(problem(word.text.into()))
    })
}

/// The shortest text that reads back as this size.
pub(super) fn show_size(bytes: u64) -> String {
    let units = [("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10), ("b", 1)];
    let (unit, scale) = units.into_iter().find(|(_, scale)| bytes.is_multiple_of(*scale)).unwrap_or(("b", 1));
    format!("{}{unit}", bytes / scale)
}

/// A plain decimal times `scale`, rounded to the nearest whole.
fn scaled(decimal: &str, scale: u128) -> Option<u64> {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let digits = whole.len() + fraction.len();
    let plain = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if digits == 0 || digits > 20 || !plain {
        return None;
    }
    let value: u128 = format!("{whole}{fraction}").parse().ok()?;
    let unit = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    u64::try_from((value.checked_mul(scale)? + unit / 2) / unit).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_tcs() {
        let time = |text| time(Word::whole(text)).unwrap();
        assert_eq!((time("100ms"), time("1.5s"), time("10us")), (100_000_000, 1_500_000_000, 10_000));
        assert_eq!((time("20msec"), time("2secs"), time("0.5ns")), (20_000_000, 2_000_000_000, 1));
        let rate = |text| rate(Word::whole(text)).unwrap();
        assert_eq!((rate("1mbit"), rate("256kbit"), rate("9600bit")), (1_000_000, 256_000, 9600));
        assert_eq!((rate("1mbps"), rate("10Mibit"), rate("1.5Gbit")), (8_000_000, 10 << 20, 1_500_000_000));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(value in 1u64..) {
            prop_assert_eq!(time(Word::whole(&show_time(value))), Ok(value));
            prop_assert_eq!(rate(Word::whole(&show_rate(value))), Ok(value));
            prop_assert_eq!(size(Word::whole(&show_size(value))), Ok(value));
        }
    }
}
