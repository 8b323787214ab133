//! What a plan is called by those who started it, beside the number that it draws for itself.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest name, in bytes.
const LONGEST: usize = 64;

/// The name of a plan: 1 to 64 letters, digits, `.`, `_` and `-`, the first a letter; not eight hexadecimal digits, which
/// would be some plan's number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlanName(String);

/// Text that is no name of a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlanNameError(&'static str);

impl FromStr for PlanName {
    type Err = PlanNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(PlanNameError("a name has 1 to 64 characters"));
        }
        if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Err(PlanNameError("a name begins with a letter"));
        }
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
            return Err(PlanNameError("a name has letters, digits, `.`, `_` and `-` only"));
        }
        if text.len() == 8 && text.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(PlanNameError("a name of eight hexadecimal digits would look like a plan's id"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for PlanName {
    type Error = PlanNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PlanName> for String {
    fn from(name: PlanName) -> Self {
        name.0
    }
}

impl fmt::Display for PlanName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_numbers() {
        for good in ["db", "dead", "db-down.2", "Disk_full", "deadbeef0", "a-"] {
            assert_eq!(good.parse::<PlanName>().unwrap().to_string(), good);
        }
        let long = "x".repeat(65);
        for bad in ["", "1st", "-x", "a b", "a/b", "ä", "deadbeef", "ABCDEF01", "a\n", &long] {
            assert!(bad.parse::<PlanName>().is_err(), "{bad}");
        }
    }
}
