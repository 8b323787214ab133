//! How long a caller waits: `delay_enter=TIME`, or `forever`.

use std::{fmt, time::Duration};

use super::{
    error::{Located, Problem},
    word::Word,
};

/// How long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// So long.
    For(Duration),
    /// As long as the rule lasts.
    Forever,
}

/// As `--for` has it.
const FOREVER: &str = "forever";

impl Delay {
    pub(super) fn parse(word: Word<'_>) -> Result<Self, Located> {
        if word.text == FOREVER { Ok(Self::Forever) } else { time(word).map(Self::For) }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(time) => f.write_str(&exact(*time)),
            Self::Forever => f.write_str(FOREVER),
        }
    }
}

/// strace's time: a number, with a fraction if you like, and `s`, `ms`, `us` or `ns`; microseconds if
/// nothing is said (src/util.c, `parse_ts`, strace 7.2).
fn time(word: Word<'_>) -> Result<Duration, Located> {
    let problem = || word.problem(Problem::Delay(word.text.into()));
    let end = word.text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.text.len());
    let (number, unit) = word.text.split_at(end);
    let nanoseconds: u64 = match unit {
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" | "" => 1000,
        "ns" => 1,
        _ => return Err(problem()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() + fraction.len() == 0 || fraction.len() > 9 {
        return Err(problem());
    }
    let value = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
    let total = value(whole).and_then(|whole| {
        let places = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
        whole.checked_mul(nanoseconds)?.checked_add(value(fraction)?.checked_mul(nanoseconds)? / places)
    });
    total.map(Duration::from_nanos).ok_or_else(problem)
}

/// In the largest unit that it is a whole number of.
fn exact(delay: Duration) -> String {
    let total = delay.as_nanos();
    for (unit, nanoseconds) in [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000)] {
        if total.is_multiple_of(nanoseconds) {
            return format!("{}{unit}", total / nanoseconds);
        }
    }
    format!("{total}ns")
}
