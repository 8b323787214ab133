//! The quantities of a policy: a time and a percentage, each in the words that rules and options have for them.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::spec::{SpecError, units, units::Probability};

/// A time above zero, such as `5m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeLimit(pub Duration);

/// A percentage above zero, such as `20%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Percent(pub Probability);

impl TryFrom<String> for TimeLimit {
    type Error = SpecError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        units::duration(&text).map(Self)
    }
}

impl TryFrom<String> for Percent {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        units::percentage(&text)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no percentage above 0%, such as `20%`"))
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<TimeLimit> for String {
    fn from(time: TimeLimit) -> Self {
        time.to_string()
    }
}

impl From<Percent> for String {
    fn from(percent: Percent) -> Self {
        percent.to_string()
    }
}
