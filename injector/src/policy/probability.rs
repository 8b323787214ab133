//! With which probability a rule makes a fault of a match, for the policy's limit.

use crate::spec::{
    model::RuleKind,
    netem::{Loss, Netem},
    packet::NetFault,
    units::Probability,
    user_space::UserSpaceRule,
};

/// That of a rule: the highest of all that it does. `when=` and `times=` do not count: they say which matches, not how
/// likely.
pub(super) fn of(rule: &RuleKind) -> Probability {
    match rule {
        RuleKind::Syscall(rule) => rule.trigger.probability,
        RuleKind::Operation(rule) => rule.trigger.probability,
        RuleKind::UserSpace(UserSpaceRule::Process(rule)) => rule.trigger.probability,
        RuleKind::Net(rule) => match &rule.fault {
            NetFault::Netem(netem) => of_netem(netem),
            NetFault::Partition | NetFault::Connect(_) | NetFault::Reject(_) | NetFault::Dns(_) => {
                Probability::ALWAYS
            }
        },
    }
}

/// Whatever has packets wait meets all of them; in a model's burst, all may be lost.
fn of_netem(netem: &Netem) -> Probability {
    if netem.waits().is_some() {
        return Probability::ALWAYS;
    }
    let loss = netem.loss.map(|loss| match loss {
        Loss::Random(chance) => chance.probability,
        Loss::Gemodel { bad, good, .. } => bad.max(good),
        Loss::State { .. } => Probability::ALWAYS,
    });
    let duplicate = netem.duplicate.map(|chance| chance.probability);
    let corrupt = netem.corrupt.map(|corrupt| corrupt.chance.probability);
    [loss, duplicate, corrupt].into_iter().flatten().max().unwrap_or(Probability::ALWAYS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::model::Rule;

    #[test]
    fn the_highest_of_all_that_a_rule_does() {
        for (rule, percent) in [
            ("inject=fsync:error=EIO", "100%"),
            ("inject=fsync:error=EIO:prob=5%", "5%"),
            ("inject=fsync:error=EIO:when=1+100", "100%"),
            ("io=read:error=EIO:prob=0.5", "50%"),
            ("process=kill SIGTERM:prob=10%", "10%"),
            ("net=loss 1%", "1%"),
            ("net=loss 1% duplicate 3% corrupt 2%", "3%"),
            ("net=loss gemodel 1% 10% 70% 0.1%", "70%"),
            ("net=loss gemodel 1% 10%", "100%"),
            ("net=loss state 1% 20%", "100%"),
            ("net=loss 1% delay 10ms", "100%"),
            ("net=tcp : partition", "100%"),
        ] {
            let kind = rule.parse::<Rule>().unwrap().kind;
            assert_eq!(of(&kind).to_string(), percent, "{rule}");
        }
    }
}
