//! What the machine's policy permits, for `injector doctor`.

use injector::policy::{FILE, Policy, PolicyError};
use serde::Serialize;

/// The policy of this machine, or what is wrong with it.
#[derive(Debug, Serialize)]
pub(super) struct Permitted {
    file: &'static str,
    /// Null if there is none, or none that can be used.
    policy: Option<Policy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Permitted {
    pub(super) fn find() -> Self {
        Self::of(Policy::read())
    }

    fn of(read: Result<Option<Policy>, PolicyError>) -> Self {
        let (policy, error) = match read {
            Ok(policy) => (policy, None),
            Err(error) => (None, Some(error)),
        };
        let remedy = error.as_ref().map(PolicyError::hint);
        Self { file: FILE, policy, why: error.map(|error| error.to_string()), remedy }
    }

    /// Below a verdict of three lines: nothing where there is no policy.
    pub(super) fn summary(&self) -> String {
        match (&self.policy, &self.why) {
            (Some(_), _) => {
                format!("policy:  {FILE} says what may be touched here; `injector doctor -v` has it\n")
            }
            (None, Some(why)) => {
                let remedy = self.remedy.as_deref().unwrap_or_default();
                format!("policy:  {why}\ndo:      {remedy}\n")
            }
            (None, None) => String::new(),
        }
    }

    /// For a person.
    pub(super) fn lines(&self) -> Vec<String> {
        let Some(policy) = &self.policy else {
            let Some(why) = &self.why else {
                return vec![format!(
                    "policy: none in {FILE}, so everything is permitted that is not protected"
                )];
            };
            let mut lines = vec![format!("policy: {why}"), "     so no plan can be applied".into()];
            lines.extend(self.remedy.iter().map(|remedy| format!("     do:  {remedy}")));
            return lines;
        };
        let list = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(" ") };
        let mut lines = vec![format!("policy: {FILE}")];
        if let Some(layers) = &policy.layers {
            let layers = layers.iter().map(|layer| layer.word().to_owned()).collect();
            lines.push(format!("     layers: {}", list(layers)));
        }
        if let Some(allowed) = &policy.cgroups.allow {
            let allowed = allowed.iter().map(ToString::to_string).collect();
            lines.push(format!("     cgroups: {}", list(allowed)));
        }
        if !policy.cgroups.deny.is_empty() {
            let denied = policy.cgroups.deny.iter().map(ToString::to_string).collect();
            lines.push(format!("     cgroups denied: {}", list(denied)));
        }
        let limits = [
            policy.limits.duration.map(|most| format!("     at most {most} long")),
            policy.limits.probability.map(|most| format!("     at most {most} of the matches of a rule")),
            policy.limits.containers.map(|most| format!("     at most {most} of the containers")),
        ];
        lines.extend(limits.into_iter().flatten());
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        Permitted::of(Policy::parse(text).map(Some)).lines()
    }

    #[test]
    fn all_that_is_said_is_shown() {
        assert!(Permitted::of(Ok(None)).lines()[0].contains("policy: none"));
        assert_eq!(Permitted::of(Ok(None)).summary(), "");
        let text = "layers = [\"io\", \"calls\"]\n[cgroups]\nallow = [\"/a\", \"b*\"]\ndeny = [\"/a/c\"]\n[limits]\n\
                    duration = \"300s\"\nprobability = \"5%\"\ncontainers = \"10%\"";
        assert_eq!(
            lines(text)[1..],
            [
                "     layers: calls io",
                "     cgroups: /a b*",
                "     cgroups denied: /a/c",
                "     at most 5m long",
                "     at most 5% of the matches of a rule",
                "     at most 10% of the containers",
            ]
        );
        assert_eq!(lines("layers = []")[1], "     layers: none");
        let wrong = lines("[limits]\ntime = 3");
        assert!(
            wrong[0].contains("line 2: unknown field `time`") && wrong[2].contains("docs/safety.md"),
            "{wrong:?}"
        );
    }
}
