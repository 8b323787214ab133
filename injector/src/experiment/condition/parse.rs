//! Text to conditions, with the place of what is wrong.

use std::{ops::Range, str::FromStr, time::Duration};

use crate::{
    experiment::condition::{Bound, Comparison, Condition, ConditionProblem, Measure},
    spec::{nearest::nearest, units},
};

/// A text that is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("condition `{text}`: {problem}")]
pub struct ConditionError {
    text: String,
    span: Range<usize>,
    problem: ConditionProblem,
}

impl ConditionError {
    /// The part of the text that is to blame, in bytes.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The cause.
    pub const fn problem(&self) -> &ConditionProblem {
        &self.problem
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        self.problem.hint()
    }
}

/// The measures that are words; percentiles are the others.
pub(super) const MEASURES: [(&str, Measure); 9] = [
    ("errors", Measure::Errors),
    ("outage", Measure::Outage),
    ("count", Measure::Count),
    ("rate", Measure::Rate),
    ("value", Measure::Value),
    ("burn", Measure::Burn),
    ("min", Measure::Min),
    ("mean", Measure::Mean),
    ("max", Measure::Max),
];

/// A word and where it stands.
struct Word<'a> {
    text: &'a str,
    start: usize,
}

impl Word<'_> {
    fn problem(&self, problem: ConditionProblem) -> (Range<usize>, ConditionProblem) {
        (self.start..self.start + self.text.len(), problem)
    }
}

/// Words between white space; a comparison is a word of its own even without any around it.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let rest = &text[start..];
        let blank = rest.len() - rest.trim_start().len();
        if blank > 0 {
            start += blank;
            continue;
        }
        let sign = |c: char| "<>=!".contains(c);
        let is_sign = rest.starts_with(sign);
        let length = rest.find(|c: char| c.is_whitespace() || sign(c) != is_sign).unwrap_or(rest.len());
        words.push(Word { text: &rest[..length], start });
        start += length;
    }
    words
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).map_err(|(span, problem)| ConditionError { text: text.to_owned(), span, problem })
    }
}

fn read(text: &str) -> Result<Condition, (Range<usize>, ConditionProblem)> {
    let all = words(text);
    let mut words = all.iter();
    let name = words.next().ok_or((0..text.len(), ConditionProblem::Empty))?;
    let source = name.text.to_owned();
    let word = words.next().ok_or_else(|| name.problem(ConditionProblem::NameAlone(source.clone())))?;
    let (measure, comparison, bound) = if word.text == "ok" {
        (Measure::Errors, Comparison::Equal, Bound::Share(0.0))
    } else {
        let measure = measure(word)?;
        let no_comparison = |at: &Word<'_>| at.problem(ConditionProblem::NoComparison(word.text.to_owned()));
        let sign = words.next().ok_or_else(|| no_comparison(word))?;
        let comparison = Comparison::first_in(sign.text)
            .filter(|(_, span)| span.len() == sign.text.len())
            .ok_or_else(|| no_comparison(sign))?;
        let value =
            words.next().ok_or_else(|| sign.problem(ConditionProblem::NoValue(sign.text.to_owned())))?;
        let of_before =
            matches!(words.as_slice(), [of, before, ..] if of.text == "of" && before.text == "before");
        let unit = (!of_before).then(|| words.as_slice().first()).flatten();
        let unit = unit.filter(|unit| !matches!(unit.text, "over" | "for") && measure_takes_unit(measure));
        let bound = bound(word, measure, value, unit.map(|unit| unit.text), of_before)?;
        if of_before {
            words.nth(1);
        } else if matches!(bound, Bound::Number { unit: Some(_), .. }) && unit.is_some() {
            words.next();
        }
        (measure, comparison.0, bound)
    };
    let mut condition = Condition { source, measure, comparison, bound, over: None, lasting: None };
    while let Some(word) = words.next() {
        let (name, place) = match word.text {
            "over" => ("over", &mut condition.over),
            "for" => ("for", &mut condition.lasting),
            other => {
                let near = nearest(other, ["over", "for"]);
                return Err(word.problem(ConditionProblem::Behind { word: other.to_owned(), near }));
            }
        };
        if place.is_some() {
            return Err(word.problem(ConditionProblem::Twice(name)));
        }
        let time = words.next().ok_or_else(|| word.problem(ConditionProblem::NoTime(name)))?;
        *place = Some(units::duration(time.text).map_err(|_| time.problem(ConditionProblem::NoTime(name)))?);
    }
    Ok(condition)
}

/// A unit behind a blank: `100 messages`.
const fn measure_takes_unit(measure: Measure) -> bool {
    matches!(measure, Measure::Value | Measure::Rate) || measure.is_statistic()
}

fn measure(word: &Word<'_>) -> Result<Measure, (Range<usize>, ConditionProblem)> {
    if let Some(&(_, measure)) = MEASURES.iter().find(|(name, _)| *name == word.text) {
        return Ok(measure);
    }
    let digits = word.text.strip_prefix('p').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let Some(digits) = digits else {
        let near = nearest(word.text, MEASURES.iter().map(|(name, _)| *name).chain(["ok"]));
        return Err(word.problem(ConditionProblem::Measure { word: word.text.to_owned(), near }));
    };
    percentile(digits)
        .map(Measure::Percentile)
        .ok_or_else(|| word.problem(ConditionProblem::Percentile(word.text.to_owned())))
}

/// Hundredths of a percent, from 1 to 9999.
fn percentile(digits: &str) -> Option<u16> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = !whole.is_empty() && (whole.to_owned() + fraction).bytes().all(|b| b.is_ascii_digit());
    if !plain || fraction.len() > 2 || whole.len() > 2 || digits.ends_with('.') {
        return None;
    }
    let hundredths = format!("{whole}{fraction:0<2}").parse().ok()?;
    (1..=9_999).contains(&hundredths).then_some(hundredths)
}

fn bound(
    measure_word: &Word<'_>,
    measure: Measure,
    value: &Word<'_>,
    unit: Option<&str>,
    of_before: bool,
) -> Result<Bound, (Range<usize>, ConditionProblem)> {
    let wrong_kind = |needed| {
        let measure = measure_word.text.to_owned();
        value.problem(ConditionProblem::Kind { measure, needed, word: value.text.to_owned() })
    };
    let percent = value.text.strip_suffix('%').map(number);
    if of_before {
        let share = percent.flatten();
        return share
            .map(|share| Bound::OfBefore(share / 100.0))
            .ok_or_else(|| wrong_kind("a share of before, such as 150%"));
    }
    let digits =
        value.text.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-')).count();
    let (head, tail) = value.text.split_at(digits);
    let plain = number(head).map(|number| Bound::Number {
        number,
        unit: if tail.is_empty() { unit.map(str::to_owned) } else { Some(tail.to_owned()) },
    });
    let time = units::duration(value.text).ok().or_else(|| (value.text == "0s").then_some(Duration::ZERO));
    let bound = match measure {
        Measure::Errors => {
            let share = percent.ok_or_else(|| wrong_kind("a share, such as 1%"))?;
            share.filter(|share| *share <= 100.0).map(|share| Bound::Share(share / 100.0))
        }
        Measure::Outage => Some(Bound::Time(time.ok_or_else(|| wrong_kind("a time, such as 5s"))?)),
        Measure::Count | Measure::Burn if !tail.is_empty() => return Err(wrong_kind("a plain number")),
        Measure::Count | Measure::Burn | Measure::Value | Measure::Rate => plain,
        Measure::Min | Measure::Mean | Measure::Max | Measure::Percentile(_) => match time {
            Some(time) => Some(Bound::Time(time)),
            None => plain,
        },
    };
    bound.ok_or_else(|| value.problem(ConditionProblem::Value(value.text.to_owned())))
}

/// A plain decimal.
fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    text.parse().ok().filter(|number: &f64| plain && number.is_finite())
}
