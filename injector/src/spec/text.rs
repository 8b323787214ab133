//! A rule as one text, whatever it is about: `inject=SET:…` for system calls, `net=MATCH : NETEM` for packets, `io=OP:…`
//! for operations, `process=ACTION` for processes. It is what `-e` takes, and how a rule stands in files and messages.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    spec::{
        SpecError, expression,
        model::{Rule, RuleKind},
    },
    syscalls::Machine,
};

impl FromStr for Rule {
    type Err = SpecError;

    /// Reads a rule, for the calls of the machine that runs this.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        expression(text, Machine::HOST)
    }
}

impl fmt::Display for Rule {
    /// What it means, in the text that reads back as that.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let qualifier = match &self.kind {
            RuleKind::Syscall(_) => "inject",
            RuleKind::Net(_) => "net",
            RuleKind::Operation(_) => "io",
            RuleKind::UserSpace(rule) => rule.qualifier(),
        };
        write!(f, "{qualifier}={}", self.kind)
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: SpecError| {
            let hint = error.hint();
            let separator = if hint.is_empty() { "" } else { "; " };
            de::Error::custom(format!("{error}{separator}{hint}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written, and how it prints.
    const RULES: [(&str, &str); 8] = [
        ("inject=fsync:error=5:when=3", "inject=fsync:error=EIO:when=3"),
        ("fault=read", "inject=read:error=ENOSYS"),
        ("net=loss 10%", "net=egress : loss 10%"),
        ("net=both tcp port 80,443 : partition", "net=both tcp port 80,443 : partition"),
        ("net=ingress from fd00::/8 : delay 10ms 2ms", "net=ingress from fd00::/8 : delay 10ms 2ms"),
        ("io=write:error=ENOSPC:path=/srv/**", "io=write:error=ENOSPC:path=/srv/**"),
        ("process=pause:for=2000ms:every=10s", "process=pause:for=2s:every=10s"),
        ("process=kill term:prob=0.5", "process=kill SIGTERM:prob=50%"),
    ];

    #[test]
    fn a_rule_reads_back_from_what_it_prints() {
        for (written, printed) in RULES {
            let rule: Rule = written.parse().unwrap();
            assert_eq!(rule.to_string(), printed, "{written}");
            let again: Rule = printed.parse().unwrap();
            assert_eq!(again.kind, rule.kind, "{written}");
        }
    }

    #[test]
    fn in_json_a_rule_is_its_text() {
        let rules: Vec<Rule> =
            serde_json::from_str(r#"["inject=fsync:error=EIO", "net=udp : loss 1%"]"#).unwrap();
        assert_eq!(
            serde_json::to_string(&rules).unwrap(),
            r#"["inject=fsync:error=EIO","net=egress udp : loss 1%"]"#
        );
        let error = serde_json::from_str::<Rule>(r#""net=udp : los 1%""#).unwrap_err().to_string();
        assert!(error.contains("did you mean `loss`?"), "{error}");
    }

    #[test]
    fn what_is_wrong_behind_the_qualifier_is_pointed_at() {
        for (text, part) in [
            ("net=udp : los 1%", "los"),
            ("io=write:error=EIOO", "EIOO"),
            ("inject=fsyncc:error=EIO", "fsyncc"),
        ] {
            let error = text.parse::<Rule>().unwrap_err();
            assert_eq!(&text[error.span()], part);
        }
    }
}
