//! A policy as its file has it: TOML, in which an unknown key is a mistake rather than a wish that nobody hears.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::policy::{CgroupGlob, FileProblem, Layer, Percent, PolicyError, TimeLimit};

/// What an administrator permits. The default, which is what holds without a file, permits everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What rules may act on; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<BTreeSet<Layer>>,
    /// Whom rules may be put on.
    #[serde(default)]
    pub cgroups: Cgroups,
    /// How much a plan may do.
    #[serde(default)]
    pub limits: Limits,
}

/// Whom rules may be put on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cgroups {
    /// Only these, with all below them; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<CgroupGlob>>,
    /// Not these, nor anything below them, whatever is allowed.
    #[serde(default)]
    pub deny: Vec<CgroupGlob>,
}

/// How much a plan may do; `None` for as much as it likes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How long it may act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<TimeLimit>,
    /// With which probability a rule may make a fault of a match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<Percent>,
    /// Which part of the machine's containers may be its targets, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub containers: Option<Percent>,
}

impl Policy {
    /// Reads the text of a policy.
    ///
    /// # Errors
    /// [`PolicyError::File`] with the line in which something is unknown, of the wrong type or without meaning.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        toml::from_str(text).map_err(|error| {
            let line =
                error.span().map(|span| text.as_bytes()[..span.start].split(|&byte| byte == b'\n').count());
            FileProblem::Text { line, message: error.message().to_owned() }.into()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn all_keys() {
        let text = r#"
            layers = ["net", "io"]
            [cgroups]
            allow = ["/system.slice/web-*.service"]
            deny = ["postgresql*"]
            [limits]
            duration = "5m"
            probability = "20%"
            containers = "25%"
        "#;
        let policy = Policy::parse(text).unwrap();
        assert_eq!(policy.layers, Some([Layer::Io, Layer::Net].into()));
        assert_eq!(policy.cgroups.allow.as_deref().map(<[_]>::len), Some(1));
        assert_eq!(policy.cgroups.deny[0].to_string(), "postgresql*");
        assert_eq!(policy.limits.duration, Some(TimeLimit(Duration::from_mins(5))));
        assert_eq!(policy.limits.probability.map(|percent| percent.to_string()).as_deref(), Some("20%"));
        // What it prints means the same.
        let printed = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&printed).unwrap(), policy);
        assert_eq!(Policy::parse("").unwrap(), Policy::default());
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        for (text, line, part) in [
            ("layer = [\"net\"]", "line 1", "unknown field `layer`, expected one of `layers`"),
            ("layers = \"net\"", "line 1", "invalid type"),
            ("\nlayers = [\"disk\"]", "line 2", "unknown variant `disk`, expected one of `calls`, `io`"),
            ("[limits]\nduration = 300", "line 2", "invalid type"),
            ("[limits]\nduration = \"300\"", "line 2", "300"),
            ("[limits]\nprobability = \"0%\"", "line 2", "`0%` is no percentage above 0%"),
            ("[limits]\n\nrate = \"1/s\"", "line 3", "unknown field `rate`"),
            ("[cgroups]\ndeny = [\"/a[\"]", "line 2", "`[`"),
            ("[cgroups\n", "line 1", ""),
        ] {
            let message = Policy::parse(text).unwrap_err().to_string();
            assert!(message.contains(line) && message.contains(part), "{text}: {message}");
        }
    }
}
