//! Quantities with their units. A unit is never guessed: a probability is a percentage with its `%` or a
//! fraction with its point, a duration names its unit.

use std::{fmt, time::Duration};

use crate::spec::{
    error::{Located, SpecError},
    problem::{TriggerProblem, ValueProblem},
    word::Word,
};

/// A probability, exact: a numerator over 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probability(u64);

impl Probability {
    /// Certain.
    pub const ALWAYS: Self = Self(1 << 32);

    /// The probability of `numerator` in 2^32.
    pub const fn new(numerator: u64) -> Option<Self> {
        if numerator <= Self::ALWAYS.0 { Some(Self(numerator)) } else { None }
    }

    /// The probability nearest to `fraction`, which is from 0 to 1.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 2^32, and whole")]
    pub fn of_fraction(fraction: f64) -> Option<Self> {
        // 2^32.
        const ALL: f64 = 4_294_967_296.0;
        (0.0..=1.0).contains(&fraction).then(|| Self((fraction * ALL).round() as u64))
    }

    /// How many of 2^32 draws fire.
    pub const fn numerator(self) -> u64 {
        self.0
    }

    /// Reads `5%`, `0.1%`, `0.05` or `1.0`, rounded to the nearest 1/2^32. Zero, and what rounds to it, is
    /// refused: such a rule could never fire.
    pub(super) fn parse(word: Word<'_>) -> Result<Self, Located> {
        let value = match word.text.strip_suffix('%') {
            Some(percent) => Self::of_decimal(percent, 2),
            None if word.text.contains('.') => Self::of_decimal(word.text, 0),
            None if word.decimal::<u128>().is_some() => {
                return Err(word.problem(TriggerProblem::ProbabilityWithoutUnit(word.text.into())));
            }
            None => None,
        };
        match value {
            Some(Self(0)) => Err(word.problem(TriggerProblem::NeverByChance(word.text.into()))),
            Some(value) => Ok(value),
            None => Err(word.problem(TriggerProblem::Probability(word.text.into()))),
        }
    }

    /// Reads a percentage that may be zero; `None` if it is none.
    pub(super) fn percentage(word: Word<'_>) -> Option<Self> {
        word.text.strip_suffix('%').and_then(|percent| Self::of_decimal(percent, 2))
    }

    /// `decimal / 10^shift` as a probability; `None` if it is no plain decimal from 0 to 1.
    fn of_decimal(decimal: &str, shift: u32) -> Option<Self> {
        let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
        // 2^32 times 10^26 fits 128 bits. More digits than that say nothing that 1/2^32 could hold.
        let digits = whole.len() + fraction.len();
        let plain = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        if digits == 0 || digits > 24 || !plain {
            return None;
        }
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()? + shift);
        let value: u128 = format!("{whole}{fraction}").parse().ok()?;
        let numerator = ((value << 32) + scale / 2) / scale;
        u64::try_from(numerator).ok().filter(|_| value <= scale).map(Self)
    }
}

impl fmt::Display for Probability {
    /// The shortest percentage that reads back as this probability.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |places: u32| {
            let unit = 10_u128.pow(places);
            let percent = (u128::from(self.0) * 100 * unit + (1 << 31)) >> 32;
            let places = places as usize;
            if places == 0 {
                format!("{percent}")
            } else {
                format!("{}.{:0places$}", percent / unit, percent % unit)
            }
        };
        // Ten places of a percentage are finer than 1/2^32.
        let text = (0..10).map(exact).find(|text| Self::of_decimal(text, 2) == Some(*self));
        write!(f, "{}%", text.unwrap_or_else(|| exact(10)))
    }
}

/// Reads a percentage above zero with its `%`, such as `20%`; `None` if it is none.
pub fn percentage(text: &str) -> Option<Probability> {
    Probability::percentage(Word::whole(text)).filter(|percentage| percentage.numerator() > 0)
}

/// Reads a duration above zero with its unit, such as `30s`, `250ms` or `1h30m`.
///
/// # Errors
/// [`SpecError`]: no number, no unit, or zero.
pub fn duration(text: &str) -> Result<Duration, SpecError> {
    let word = Word::whole(text);
    let problem = || {
        if word.trim().decimal::<u128>().is_some() {
            return ValueProblem::DurationWithoutUnit(text.trim().into());
        }
        ValueProblem::Duration(text.into())
    };
    let refused = |problem| SpecError::new("duration", text, word.problem(problem));
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err(refused(ValueProblem::NoDuration)),
        Ok(time) => Ok(time),
        Err(_) => Err(refused(problem())),
    }
}
