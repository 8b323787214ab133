//! Conditions to text, which reads back as the same condition.

use std::fmt;

use crate::experiment::condition::{Bound, Condition, Measure, parse::MEASURES};

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentile(hundredths) => write!(f, "p{}", f64::from(*hundredths) / 100.0),
            word => {
                f.write_str(MEASURES.iter().find(|(_, measure)| measure == word).map_or("", |(name, _)| name))
            }
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { number, unit: None } => write!(f, "{number}"),
            Self::Number { number, unit: Some(unit) } => write!(f, "{number} {unit}"),
            Self::Time(time) if time.is_zero() => f.write_str("0s"),
            Self::Time(time) => f.write_str(&spelled(*time)),
            Self::Share(share) => write!(f, "{}%", percent(*share)),
            Self::OfBefore(share) => write!(f, "{}% of before", percent(*share)),
        }
    }
}

/// A share in percent, without the noise of binary fractions.
fn percent(share: f64) -> f64 {
    (share * 1e10).round() / 1e8
}

/// A time without blanks.
fn spelled(time: std::time::Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, measure, comparison, bound, over, lasting } = self;
        if (*measure, comparison.sign(), bound) == (Measure::Errors, "=", &Bound::Share(0.0)) {
            write!(f, "{source} ok")?;
        } else {
            write!(f, "{source} {measure} {} {bound}", comparison.sign())?;
        }
        if let Some(over) = over {
            write!(f, " over {}", spelled(*over))?;
        }
        match lasting {
            Some(lasting) => write!(f, " for {}", spelled(*lasting)),
            None => Ok(()),
        }
    }
}
