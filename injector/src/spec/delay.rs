//! How long a caller waits: `delay_enter=TIME`, `TIME~JITTER` with `distribution=` for how the jitter spreads, or
//! `forever`.

use std::{fmt, time::Duration};

use crate::spec::{
    error::Located,
    netem::Distribution,
    problem::{NetemProblem, ValueProblem},
    word::Word,
};

/// How long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// So long.
    For {
        /// The middle.
        time: Duration,
        /// The width; zero for none.
        jitter: Duration,
    },
    /// As long as the rule lasts.
    Forever,
}

/// As `--for` has it.
const FOREVER: &str = "forever";

impl Delay {
    pub(super) fn parse(word: Word<'_>) -> Result<Self, Located> {
        let (middle, width) = match word.split_once("~") {
            None if word.text == FOREVER => return Ok(Self::Forever),
            Some((middle, _)) if middle.text == FOREVER => {
                return Err(word.problem(ValueProblem::NoLength(word.text.into())));
            }
            None => (word, None),
            Some((middle, width)) => (middle, Some(width)),
        };
        Ok(Self::For { time: time(middle)?, jitter: width.map_or(Ok(Duration::ZERO), time)? })
    }

    /// Is there something that a distribution could spread?
    pub(super) fn varies(self) -> bool {
        matches!(self, Self::For { jitter, .. } if jitter > Duration::ZERO)
    }
}

impl From<Duration> for Delay {
    /// So long, and always the same.
    fn from(time: Duration) -> Self {
        Self::For { time, jitter: Duration::ZERO }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For { time, jitter } if jitter.is_zero() => f.write_str(&exact(*time)),
            Self::For { time, jitter } => write!(f, "{}~{}", exact(*time), exact(*jitter)),
            Self::Forever => f.write_str(FOREVER),
        }
    }
}

/// Reads what `distribution=` says; given as `word`, it has to have something to spread in one of `delays`.
pub(super) fn distribution(
    given: Option<(Word<'_>, Distribution)>,
    delays: [Option<Delay>; 2],
    example: &'static str,
) -> Result<Distribution, Located> {
    match given {
        None => Ok(Distribution::Uniform),
        Some((_, named)) if delays.into_iter().flatten().any(Delay::varies) => Ok(named),
        Some((word, _)) => Err(word.problem(NetemProblem::NothingToDistribute { example })),
    }
}

/// Reads netem's word for a distribution, or the path of a file. A `\` takes away the meaning of what is behind it,
/// so that a path can hold a `:`.
pub(super) fn named(word: Word<'_>) -> Result<Distribution, Located> {
    Ok(match Distribution::read(word)? {
        Distribution::File(_) => {
            let mut path = String::new();
            let mut rest = word.text.chars();
            while let Some(next) = rest.next() {
                path.push(if next == '\\' { rest.next().unwrap_or(next) } else { next });
            }
            Distribution::File(path.into())
        }
        named => named,
    })
}

/// `:distribution=…`, or nothing for the uniform one.
pub(super) fn show(distribution: &Distribution, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Distribution::File(path) = distribution else {
        return match distribution.name() {
            Some(name) => write!(f, ":distribution={name}"),
            None => Ok(()),
        };
    };
    f.write_str(":distribution=")?;
    path.to_string_lossy().chars().try_for_each(|c| {
        let guarded = matches!(c, '\\' | ':' | '[' | ']');
        if guarded { write!(f, "\\{c}") } else { write!(f, "{c}") }
    })
}

/// strace's time: a number, with a fraction if you like, and `s`, `ms`, `us` or `ns`; microseconds if
/// nothing is said (src/util.c, `parse_ts`, strace 7.2).
fn time(word: Word<'_>) -> Result<Duration, Located> {
    let problem = || word.problem(ValueProblem::Delay(word.text.into()));
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
