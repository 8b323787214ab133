//! The number of an answer, as the probe's `value` says, and the rate of numbers over time.

use regex::bytes::Regex;

use crate::experiment::{answer::Answer, failure::Failure, model::ValueOf};

/// The number of an answer. Without a `value` it is the one that an answer of this kind has of itself, if any. That of
/// `rate` is the number that [`Rates`] is to be told.
///
/// # Errors
/// [`Failure`]: there should be one, and there is none. Infinities and NaN are none.
pub fn number(value: Option<&ValueOf>, answer: &Answer) -> Result<Option<f64>, Failure> {
    let number = match value {
        None => answer.natural,
        Some(ValueOf::Number | ValueOf::Rate) => Some(match answer.natural {
            Some(number) => number,
            None => parse(&answer.text)?,
        }),
        Some(ValueOf::Json(path)) => Some(of_json(path, answer)?),
        Some(ValueOf::Regex(pattern)) => Some(of_group(pattern, &answer.text)?),
    };
    match number {
        Some(number) if !number.is_finite() => Err(Failure::NoNumber),
        number => Ok(number),
    }
}

fn parse(text: &[u8]) -> Result<f64, Failure> {
    let text = str::from_utf8(text).map_err(|_| Failure::NoNumber)?;
    text.trim().parse().map_err(|_| Failure::NoNumber)
}

fn of_json(path: &serde_json_path::JsonPath, answer: &Answer) -> Result<f64, Failure> {
    let value = serde_json::from_slice(&answer.text).map_err(|_| Failure::NoJson(answer.noun()))?;
    let found = path.query(&value).all();
    match found.as_slice() {
        [] => Err(Failure::NoNumber),
        [serde_json::Value::String(text)] => parse(text.as_bytes()),
        [one] => one.as_f64().ok_or(Failure::NoNumber),
        _ => Err(Failure::SeveralNumbers),
    }
}

fn of_group(pattern: &Regex, text: &[u8]) -> Result<f64, Failure> {
    let groups = pattern.captures(text).ok_or(Failure::NoNumber)?;
    let group = groups.name("value").or_else(|| groups.get(1)).or_else(|| groups.get(0));
    parse(group.ok_or(Failure::NoNumber)?.as_bytes())
}

/// The increase per second from one number to the next.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    before: Option<(u64, f64)>,
}

impl Rates {
    /// The rate up to this number, which was read at `at` nanoseconds; none for the first one. A number that is less than
    /// the one before is that of a counter that began again from 0, as Prometheus has it.
    pub fn next(&mut self, at: u64, number: f64) -> Option<f64> {
        let before = self.before.filter(|&(then, _)| then < at);
        if before.is_some() || self.before.is_none() {
            self.before = Some((at, number));
        }
        let (then, least) = before?;
        let increase = if number < least { number } else { number - least };
        #[expect(clippy::cast_precision_loss, reason = "a time between two looks is exact up to 104 days")]
        let seconds = (at - then) as f64 / 1e9;
        Some(increase / seconds)
    }
}
