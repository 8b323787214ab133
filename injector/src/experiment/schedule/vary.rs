//! Numbers that change while a fault acts: which value when. Pure.

use std::{fmt, str::FromStr, time::Duration};

use crate::experiment::model::{Curve, Vary};

/// A number with its unit: `20ms`, `0.5%`, `100`.
#[derive(Clone, Debug, PartialEq)]
pub struct Amount {
    /// The number.
    pub number: f64,
    /// What stands behind it.
    pub unit: String,
}

/// A text that is no number with a unit, or two that do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// It does not begin with a number.
    #[error("`{0}` is no number with its unit")]
    Number(String),
    /// From milliseconds to percent.
    #[error("`{0}` and `{1}` have different units")]
    Units(String, String),
    /// A logarithm of zero.
    #[error("a `log` curve cannot begin or end at `{0}`")]
    Zero(String),
}

impl AmountError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Number(_) => "write a number and its unit, such as 0% or 20ms",
            Self::Units(..) => "write both with the same unit: from: 20ms, to: 400ms",
            Self::Zero(_) => "begin with a small number, or write curve: linear",
        }
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (number, unit) = text.split_at(digits);
        let number = number.parse().map_err(|_| AmountError::Number(text.to_owned()))?;
        Ok(Self { number, unit: unit.to_owned() })
    }
}

impl fmt::Display for Amount {
    /// Rounded to what a rule can tell apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.4}", self.number);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        write!(f, "{text}{}", self.unit)
    }
}

/// A value from a moment on.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// From the beginning of the fault.
    pub at: Duration,
    /// What stands in the rule.
    pub value: Amount,
}

/// The values of a fault that lasts for `lasting`, from its beginning on: `steps` changes behind the first value. With
/// `over` the last one comes then, and stays; without it each of them acts equally long.
///
/// # Errors
/// [`AmountError`]: the ends are no numbers of the same unit.
pub fn stages(vary: &Vary, lasting: Duration) -> Result<Vec<Stage>, AmountError> {
    let (from, to): (Amount, Amount) = (vary.from.parse()?, vary.to.parse()?);
    if from.unit != to.unit {
        return Err(AmountError::Units(vary.from.value.clone(), vary.to.value.clone()));
    }
    if vary.curve == Curve::Log {
        for (amount, text) in [(&from, &vary.from), (&to, &vary.to)] {
            if amount.number <= 0.0 {
                return Err(AmountError::Zero(text.value.clone()));
            }
        }
    }
    let steps = vary.steps.max(1);
    let stage = |step: u32| {
        let part = f64::from(step) / f64::from(steps);
        let at = match vary.over {
            Some(over) => over.mul_f64(part),
            None => lasting.mul_f64(f64::from(step) / (f64::from(steps) + 1.0)),
        };
        let number = match vary.curve {
            Curve::Linear => from.number + (to.number - from.number) * part,
            Curve::Log => from.number * (to.number / from.number).powf(part),
        };
        Stage { at, value: Amount { number, unit: from.unit.clone() } }
    };
    Ok((0..=steps).map(stage).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::stages;
    use crate::experiment::model::{Curve, Located, Place, Vary};

    fn vary(from: &str, to: &str, curve: Curve) -> Vary {
        let place = Place { line: 1, column: 1 };
        let located = |text: &str| Located { value: text.to_owned(), place };
        Vary { from: located(from), to: located(to), over: None, steps: 4, curve }
    }

    #[test]
    fn a_ramp_goes_from_one_end_to_the_other() {
        let shown = |vary: &Vary| -> Vec<_> {
            let all = stages(vary, Duration::from_secs(10)).unwrap_or_default();
            all.iter().map(|stage| (stage.at.as_secs(), stage.value.to_string())).collect()
        };
        let of = |values: [&str; 5]| {
            [0, 2, 4, 6, 8].into_iter().zip(values.map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(shown(&vary("0%", "20%", Curve::Linear)), of(["0%", "5%", "10%", "15%", "20%"]));
        assert_eq!(shown(&vary("1ms", "16ms", Curve::Log)), of(["1ms", "2ms", "4ms", "8ms", "16ms"]));
        let over = Vary { over: Some(Duration::from_secs(4)), ..vary("0%", "20%", Curve::Linear) };
        assert_eq!(shown(&over).last(), Some(&(4, "20%".to_owned())));
    }

    #[test]
    fn ends_that_do_not_fit_are_refused() {
        let refused = |from, to, curve| {
            let stages = stages(&vary(from, to, curve), Duration::from_secs(1));
            stages.map_err(|error| error.to_string()).err()
        };
        assert_eq!(
            refused("0%", "5ms", Curve::Linear).as_deref(),
            Some("`0%` and `5ms` have different units")
        );
        assert_eq!(refused("x", "5ms", Curve::Linear).as_deref(), Some("`x` is no number with its unit"));
        assert_eq!(
            refused("0%", "5%", Curve::Log).as_deref(),
            Some("a `log` curve cannot begin or end at `0%`")
        );
    }
}
