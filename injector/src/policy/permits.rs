//! What a policy says of a plan's rules and of its length.

use std::time::Duration;

use crate::{
    policy::{Layer, Policy, PolicyError, TimeLimit, probability},
    spec::model::RuleKind,
};

impl Policy {
    /// May a rule be had?
    ///
    /// # Errors
    /// [`PolicyError::Layer`] or [`PolicyError::Probability`].
    pub fn check_rule(&self, text: &str, kind: &RuleKind) -> Result<(), PolicyError> {
        let layer = Layer::of(kind);
        if let Some(layers) = self.layers.as_ref().filter(|layers| !layers.contains(&layer)) {
            let permitted = layers.iter().copied().collect();
            return Err(PolicyError::Layer { rule: text.to_owned(), layer, permitted });
        }
        let probability = probability::of(kind);
        match self.limits.probability {
            Some(most) if probability > most.0 => {
                Err(PolicyError::Probability { rule: text.to_owned(), probability, most })
            }
            _ => Ok(()),
        }
    }

    /// May a plan act so long (`None`: without an end)?
    ///
    /// # Errors
    /// [`PolicyError::Duration`].
    pub fn check_duration(&self, asked: Option<Duration>) -> Result<(), PolicyError> {
        match self.limits.duration {
            Some(most) if asked.is_none_or(|asked| asked > most.0) => {
                Err(PolicyError::Duration { asked: asked.map(TimeLimit), most })
            }
            _ => Ok(()),
        }
    }

    /// May `met` of the machine's `all` containers be targets at once?
    ///
    /// # Errors
    /// [`PolicyError::Containers`].
    pub fn check_share(&self, met: usize, all: usize) -> Result<(), PolicyError> {
        let Some(most) = self.limits.containers else { return Ok(()) };
        // Rounded up, as `--percent` is, so that one container is always permitted.
        let share = (all as u128 * u128::from(most.0.numerator())).div_ceil(1 << 32);
        if met as u128 > share {
            return Err(PolicyError::Containers { met, all, most, number: share });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::model::Rule;

    /// What a policy says of a rule: nothing, or a part of the message.
    fn said(policy: &str, rule: &str) -> String {
        let rule: Rule = rule.parse().unwrap();
        let checked = Policy::parse(policy).unwrap().check_rule(&rule.text, &rule.kind);
        checked.err().map(|error| format!("{error}; {}", error.hint())).unwrap_or_default()
    }

    #[test]
    fn rules() {
        for (policy, rule, part) in [
            ("", "net=loss 10%", ""),
            ("layers = [\"net\"]", "net=loss 10%", ""),
            ("layers = [\"calls\", \"io\"]", "net=loss 10%", "permits calls and io, not net"),
            ("layers = [\"io\"]", "inject=fsync:error=EIO", "permits io, not calls"),
            ("layers = []", "process=pause", "permits no rules"),
            ("[limits]\nprobability = \"10%\"", "io=read:error=EIO:prob=10%", ""),
            ("[limits]\nprobability = \"10%\"", "io=read:error=EIO:prob=11%", "permits 10% at most"),
            ("[limits]\nprobability = \"10%\"", "net=tcp : partition", "100%"),
        ] {
            let said = said(policy, rule);
            assert_eq!(said.is_empty(), part.is_empty(), "{policy} {rule}: {said}");
            assert!(said.contains(part), "{policy} {rule}: {said}");
        }
    }

    #[test]
    fn lengths() {
        let policy = Policy::parse("[limits]\nduration = \"5m\"").unwrap();
        let said = |asked| policy.check_duration(asked).err().map(|error| error.to_string());
        assert_eq!(said(Some(Duration::from_mins(5))), None);
        assert!(said(Some(Duration::from_secs(301))).unwrap().contains("5m 1s"));
        assert!(said(None).unwrap().contains("without an end"));
        assert!(Policy::default().check_duration(None).is_ok());
    }

    #[test]
    fn shares_are_rounded_up() {
        let policy = Policy::parse("[limits]\ncontainers = \"25%\"").unwrap();
        for (met, all, permitted) in [
            (0, 0, true),
            (1, 1, true),
            (1, 4, true),
            (2, 4, false),
            (2, 5, true),
            (25, 100, true),
            (26, 100, false),
        ] {
            assert_eq!(policy.check_share(met, all).is_ok(), permitted, "{met} of {all}");
        }
    }
}
