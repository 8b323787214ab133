//! What a user expects of a plan's counters at its end, such as `rule 0 fired>=3`: read from text, and held against the
//! report.

use std::{fmt, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::engine::{Report, RuleReport};

/// A comparison of one counter of a report with a number: `[rule N] fired|matched|suppressed OP NUMBER`.
///
/// Without a rule it is about the sum over all rules. `fired` has what would have fired in a plan that only monitors, as
/// [`RuleReport::effective`] has it.
///
/// ```
/// let expectation: injector::engine::Expectation = "rule 0 fired >= 3".parse()?;
/// assert_eq!(expectation.to_string(), "rule 0 fired>=3");
/// # Ok::<(), injector::engine::ExpectationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The rule's number; `None` for all together.
    pub rule: Option<u32>,
    /// Which of its numbers.
    pub counter: Counter,
    /// How it is to compare.
    pub comparison: Comparison,
    /// With this.
    pub number: u64,
}

/// A number that the report has of each rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Calls or packets that the rule means.
    Matched,
    /// Faults.
    Fired,
    /// Matches that were no fault.
    Suppressed,
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `!=`
    NotEqual,
    /// `=` or `==`
    Equal,
    /// `>`
    More,
    /// `<`
    Less,
}

/// Text that is no expectation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no expectation: {problem}")]
pub struct ExpectationError {
    text: String,
    problem: &'static str,
}

/// An expectation that a report does not meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// The expectation.
    pub expected: String,
    /// What the report has instead; `None` where it has no such rule.
    pub is: Option<u64>,
}

/// Their spellings; of two for one comparison the first is printed.
const COMPARISONS: [(&str, Comparison); 7] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    ("!=", Comparison::NotEqual),
    ("=", Comparison::Equal),
    ("==", Comparison::Equal),
    (">", Comparison::More),
    ("<", Comparison::Less),
];

impl Comparison {
    /// The first sign of a comparison in `text`, and where it stands.
    pub(crate) fn first_in(text: &str) -> Option<(Self, Range<usize>)> {
        COMPARISONS
            .iter()
            .filter_map(|&(sign, comparison)| Some((text.find(sign)?, sign, comparison)))
            .min_by_key(|&(at, sign, _)| (at, usize::MAX - sign.len()))
            .map(|(at, sign, comparison)| (comparison, at..at + sign.len()))
    }

    /// As it is written.
    pub(crate) fn sign(self) -> &'static str {
        COMPARISONS.iter().find(|&&(_, comparison)| comparison == self).map_or("", |&(sign, _)| sign)
    }

    /// Whether `is` compares with `with` like this. Nothing compares with what is no number.
    pub(crate) fn holds<T: PartialOrd + Copy>(self, is: T, with: T) -> bool {
        match self {
            Self::AtLeast => is >= with,
            Self::AtMost => is <= with,
            Self::NotEqual => is != with,
            Self::Equal => is == with,
            Self::More => is > with,
            Self::Less => is < with,
        }
    }
}

impl FromStr for Expectation {
    type Err = ExpectationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |problem| ExpectationError { text: text.to_owned(), problem };
        let (comparison, sign) =
            Comparison::first_in(text).ok_or_else(|| error("it has no comparison, such as >= or ="))?;
        let at = sign.start;
        let number = text[sign.end..].trim().parse();
        let number = number.map_err(|_| error("a whole number must follow the comparison"))?;
        let mut words: Vec<_> = text[..at].split_whitespace().collect();
        let counter = match words.pop() {
            Some("matched") => Counter::Matched,
            Some("fired") => Counter::Fired,
            Some("suppressed") => Counter::Suppressed,
            _ => return Err(error("fired, matched or suppressed must come before the comparison")),
        };
        let rule = match words[..] {
            [] => None,
            ["rule", number] => Some(number.parse().map_err(|_| error("`rule` must have a number"))?),
            _ => return Err(error("it must begin with `rule N`, or with the counter")),
        };
        Ok(Self { rule, counter, comparison, number })
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(rule) = self.rule {
            write!(f, "rule {rule} ")?;
        }
        let counter = match self.counter {
            Counter::Matched => "matched",
            Counter::Fired => "fired",
            Counter::Suppressed => "suppressed",
        };
        write!(f, "{counter}{}{}", self.comparison.sign(), self.number)
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is {
            Some(is) => write!(f, "expected {}, and it is {is}", self.expected),
            None => write!(f, "expected {}, and there is no such rule", self.expected),
        }
    }
}

impl Expectation {
    /// No rule has fired.
    pub const NOT_FIRED: Self =
        Self { rule: None, counter: Counter::Fired, comparison: Comparison::Equal, number: 0 };

    /// Does the report meet it? What it has instead if not.
    pub fn unmet(&self, report: &Report) -> Option<Unmet> {
        let of = |rule: &RuleReport| match self.counter {
            Counter::Matched => rule.matched,
            Counter::Fired => rule.effective(),
            Counter::Suppressed => rule.matched.saturating_sub(rule.effective()),
        };
        let is = match self.rule {
            None => Some(report.rules.iter().map(of).sum()),
            Some(number) => report.rules.iter().find(|rule| rule.rule == number).map(of),
        };
        let met = is.is_some_and(|is| self.comparison.holds(is, self.number));
        (!met).then(|| Unmet { expected: self.to_string(), is })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use injector_common::counters::{Counters, Reason};

    use super::*;
    use crate::kernel::installation::sleep::Shortfall;

    fn report() -> Report {
        let mut first = Counters { matched: 10, fired: 3, ..Counters::default() };
        first.suppressed[Reason::When as usize] = 7;
        let mut second = Counters { matched: 5, fired: 0, ..Counters::default() };
        second.suppressed[Reason::Monitored as usize] = 5;
        Report {
            schema: 1,
            plan: "0".into(),
            seed: 0,
            monitor: true,
            rules: vec![RuleReport::new(0, "a", &first, false), RuleReport::new(1, "b", &second, false)],
            skipped: BTreeMap::new(),
            lost_events: 0,
            lost_cgroups: 0,
            returns: BTreeMap::new(),
            delays: Shortfall::default(),
            aborted: None,
            clean: true,
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_counter_is_compared() {
        for (text, met) in [
            ("rule 0 fired>=3", true),
            ("rule 0 fired > 3", false),
            ("rule 0 matched=10", true),
            ("rule 0 matched == 10", true),
            ("rule 0 matched!=10", false),
            ("rule 0 suppressed<=7", true),
            ("rule 0 suppressed<7", false),
            // What would have fired counts.
            ("rule 1 fired=5", true),
            ("rule 1 suppressed=0", true),
            ("fired=8", true),
            ("matched=15", true),
            ("rule 2 fired=0", false),
            ("rule 2 fired!=0", false),
        ] {
            let expectation: Expectation = text.parse().unwrap();
            assert_eq!(expectation.unmet(&report()).is_none(), met, "{text}");
            assert_eq!(expectation.to_string().parse(), Ok(expectation));
        }
    }

    #[test]
    fn what_there_is_instead_is_told() {
        let unmet = |text: &str| text.parse::<Expectation>().unwrap().unmet(&report()).unwrap().to_string();
        assert_eq!(unmet("rule 0 fired >= 4"), "expected rule 0 fired>=4, and it is 3");
        assert_eq!(unmet("rule 7 fired>0"), "expected rule 7 fired>0, and there is no such rule");
    }

    #[test]
    fn other_text_is_refused_with_the_reason() {
        for (text, problem) in [
            ("", "no comparison"),
            ("fired", "no comparison"),
            ("fired>=", "whole number"),
            ("fired>=-1", "whole number"),
            ("fired>=3x", "whole number"),
            ("fired=>3", "whole number"),
            ("failed>=3", "fired, matched or suppressed"),
            (">=3", "fired, matched or suppressed"),
            ("rule fired>=3", "begin with `rule N`"),
            ("rule x fired>=3", "must have a number"),
            ("the rule 0 fired>=3", "begin with `rule N`"),
        ] {
            let error = text.parse::<Expectation>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
