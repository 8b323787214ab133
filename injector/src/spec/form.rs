//! Which rules differ in numbers only: how often, how long, how fast, how many. A live plan takes such a change in
//! place, so that a ramp is one rule, with its counters, its flows and its draws.

use std::time::Duration;

use crate::spec::{
    delay::Delay,
    model::{RuleKind, Trigger},
    netem::{Chance, Limit, Loss, Netem},
    packet::NetFault,
    units::Probability,
};

impl RuleKind {
    /// Does `other` mean the same events and the same faults, perhaps with another probability, delay, rate or limit?
    pub fn differs_in_numbers(&self, other: &Self) -> bool {
        form(self) == form(other)
    }
}

/// The rule with each of its numbers at one value.
fn form(kind: &RuleKind) -> RuleKind {
    let mut kind = kind.clone();
    match &mut kind {
        RuleKind::Syscall(rule) => {
            level(&mut rule.trigger);
            for delay in [&mut rule.effect.delay_enter, &mut rule.effect.delay_exit].into_iter().flatten() {
                *delay = shape(*delay);
            }
        }
        RuleKind::Operation(rule) => {
            level(&mut rule.trigger);
            rule.delay = rule.delay.map(shape);
        }
        RuleKind::Net(rule) => {
            if let NetFault::Netem(netem) = &mut rule.fault {
                flatten(netem);
            }
        }
        // With another number it begins anew.
        RuleKind::UserSpace(_) => {}
    }
    kind
}

fn level(trigger: &mut Trigger) {
    trigger.probability = Probability::ALWAYS;
}

/// Whether it varies is no number: it needs another table.
fn shape(delay: Delay) -> Delay {
    match delay {
        Delay::For { jitter, .. } if jitter.is_zero() => {
            Delay::For { time: Duration::ZERO, jitter: Duration::ZERO }
        }
        Delay::For { .. } => Delay::For { time: Duration::ZERO, jitter: Duration::from_nanos(1) },
        Delay::Forever => Delay::Forever,
    }
}

fn flatten(netem: &mut Netem) {
    if let Some(delay) = &mut netem.delay {
        (delay.time, delay.jitter) = (0, delay.jitter.min(1));
    }
    if let Some(reorder) = &mut netem.reorder {
        reorder.chance = certain(reorder.chance);
    }
    if let Some(rate) = &mut netem.rate {
        rate.bits = 1;
    }
    netem.limit = netem.limit.map(|limit| match limit {
        Limit::Packets(_) => Limit::Packets(1),
        Limit::Bytes(_) => Limit::Bytes(1),
    });
    // The states of a model go on, whatever leads from one to the other.
    netem.loss = netem.loss.map(|loss| match loss {
        Loss::Random(chance) => Loss::Random(certain(chance)),
        Loss::Gemodel { .. } => {
            let any = Probability::ALWAYS;
            Loss::Gemodel { p: any, r: any, bad: any, good: any }
        }
        Loss::State { .. } => {
            let any = Probability::ALWAYS;
            Loss::State { p13: any, p31: any, p32: any, p23: any, p14: any }
        }
    });
    netem.duplicate = netem.duplicate.map(certain);
    if let Some(corrupt) = &mut netem.corrupt {
        corrupt.chance = certain(corrupt.chance);
    }
}

/// A correlation is kept: with another one, what was drawn last counts for more or less.
fn certain(chance: Chance) -> Chance {
    Chance { probability: Probability::ALWAYS, ..chance }
}

#[cfg(test)]
mod tests {
    use crate::spec::model::Rule;

    fn differ_in_numbers(one: &str, other: &str) -> bool {
        let [one, other]: [Rule; 2] = [one, other].map(|text| text.parse().unwrap());
        one.kind.differs_in_numbers(&other.kind)
    }

    #[test]
    fn only_numbers_differ() {
        for (one, other) in [
            ("inject=read:error=EIO", "inject=read:error=EIO:prob=5%"),
            ("inject=read:delay_enter=1s~1ms", "inject=read:delay_enter=2s~5ms:prob=1%"),
            ("io=read:delay=1ms:path=/a/**", "io=read:delay=5s:path=/a/**"),
            ("net=tcp : loss 5%", "net=tcp : loss 10%"),
            ("net=loss 5% 25%", "net=loss 10% 25%"),
            ("net=loss gemodel 1% 10%", "net=loss gemodel 2% 20% 30%"),
            ("net=delay 1ms 1us reorder 5% gap 3", "net=delay 5ms 2us reorder 15% gap 3"),
            ("net=rate 1mbit limit 10", "net=rate 2mbit limit 20"),
            ("net=corrupt 1% duplicate 2%", "net=corrupt 3% duplicate 4%"),
        ] {
            assert!(differ_in_numbers(one, other), "{one}, {other}");
        }
    }

    #[test]
    fn something_else_differs() {
        for (one, other) in [
            ("inject=read:error=EIO", "inject=read:error=EPERM"),
            ("inject=read:error=EIO:when=1", "inject=read:error=EIO:when=2"),
            ("inject=read:error=EIO:times=1", "inject=read:error=EIO:times=2"),
            ("inject=read:delay_enter=1s", "inject=read:delay_enter=1s~1ms"),
            ("inject=read:delay_enter=1s", "inject=read:delay_enter=forever"),
            ("io=read:error=EIO:path=/a", "io=read:error=EIO:path=/b"),
            ("net=tcp : loss 5%", "net=udp : loss 5%"),
            ("net=loss 5%", "net=loss 5% 25%"),
            ("net=loss 5%", "net=loss 5% duplicate 1%"),
            ("net=delay 1ms", "net=delay 1ms 1us"),
            ("net=rate 1mbit limit 10", "net=rate 1mbit limit 10kb"),
            ("net=corrupt 1%", "net=corrupt 1% fixed"),
            ("net=loss 5%", "net=partition"),
            ("process=kill TERM:prob=5%", "process=kill TERM:prob=10%"),
        ] {
            assert!(!differ_in_numbers(one, other), "{one}, {other}");
        }
    }
}
