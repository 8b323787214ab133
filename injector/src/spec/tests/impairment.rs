//! netem's words: what they mean, and that printing and reading them are each other's inverse.

use proptest::{option, prelude::*, sample::select};

use crate::spec::{
    netem::{Chance, Corrupt, Delay, Distribution, Limit, Loss, Netem, Rate, Reorder},
    packet::NetFault,
    tests::packets,
    units::Probability,
};

fn fault(text: &str) -> Netem {
    match packets(text).fault {
        NetFault::Netem(netem) => *netem,
        other => panic!("{text} is {other:?}"),
    }
}

fn percent(text: &str) -> Probability {
    match fault(&format!("loss {text}%")).loss {
        Some(Loss::Random(chance)) => chance.probability,
        other => panic!("{text}: {other:?}"),
    }
}

const NEVER: Probability = Probability::new(0).unwrap();

#[test]
fn every_word_by_itself() {
    for (text, printed) in [
        ("loss 0.3% 25%", "loss 0.3% 25%"),
        ("loss random 1%", "loss 1%"),
        ("loss gemodel 1%", "loss gemodel 1% 99% 100% 0%"),
        ("loss gemodel 1% 10% 70% 0.1%", "loss gemodel 1% 10% 70% 0.1%"),
        ("loss state 2%", "loss state 2% 98% 0% 100% 0%"),
        ("loss state 2% 20% 30% 40% 1%", "loss state 2% 20% 30% 40% 1%"),
        ("duplicate 1%", "duplicate 1%"),
        ("duplicate 1% 50%", "duplicate 1% 50%"),
        ("corrupt 0.1% 0%", "corrupt 0.1%"),
        ("corrupt 0.1% fixed", "corrupt 0.1% fixed"),
        ("delay 100ms", "delay 100ms"),
        ("latency 0.1s", "delay 100ms"),
        ("delay 100ms 20ms 25%", "delay 100ms 20ms 25%"),
        ("delay 1500us 20ms distribution normal", "delay 1500us 20ms distribution normal"),
        ("distribution pareto delay 100ms 20ms", "delay 100ms 20ms distribution pareto"),
        ("delay 1s 1s distribution uniform", "delay 1s 1s"),
        ("delay 1s 1s distribution ./my.dist", "delay 1s 1s distribution ./my.dist"),
        ("ordered delay 10ms 1ms distribution normal", "delay 10ms 1ms distribution normal ordered"),
        ("delay 10ms reorder 25% 50% gap 5", "delay 10ms reorder 25% 50% gap 5"),
        ("gap 5 reorder 100% delay 10ms", "delay 10ms reorder 100% gap 5"),
        ("rate 1mbit", "rate 1mbit"),
        ("rate 1.5Mbit 18 48 5", "rate 1500kbit 18 48 5"),
        ("rate 125kbps -14", "rate 1mbit -14"),
        ("burst 15kb rate 1mbit", "rate 1mbit burst 15kb"),
        ("rate 1mbit burst 1536B", "rate 1mbit burst 1536b"),
        ("rate 1mbit limit 0.5MB", "rate 1mbit limit 512kb"),
        ("limit 1000", "limit 1000"),
    ] {
        assert_eq!(fault(text).to_string(), printed, "{text}");
    }
}

#[test]
fn words_are_combined_as_in_netem() {
    let all = "delay 100ms 10ms reorder 25% loss 1% duplicate 2% corrupt 3% rate 1mbit limit 500";
    let netem = fault(all);
    assert_eq!(netem.to_string(), all);
    assert_eq!(netem.waits(), Some("delay"));
    assert_eq!(fault("loss 1% duplicate 2%").waits(), None);
    assert_eq!(fault("rate 1mbit").waits(), Some("rate"));
    assert_eq!(packets("udp : loss 1% duplicate 2%").to_string(), "egress udp : loss 1% duplicate 2%");
}

#[test]
fn defaults_are_tcs() {
    let ge = Loss::Gemodel { p: percent("1"), r: percent("99"), bad: Probability::ALWAYS, good: NEVER };
    assert_eq!(fault("loss gemodel 1%").loss, Some(ge));
    assert_eq!(fault("delay 1ms reorder 5%").reorder.map(|reorder| reorder.gap), Some(1));
    assert_eq!(fault("rate 8bit").rate.map(|rate| rate.bits), Some(8));
}

fn share() -> impl Strategy<Value = Probability> {
    (0..=1_u64 << 32).prop_map(|n| Probability::new(n).unwrap())
}

fn chance() -> impl Strategy<Value = Chance> {
    let probability = (1..=1_u64 << 32).prop_map(|n| Probability::new(n).unwrap());
    (probability, share()).prop_map(|(probability, correlation)| Chance { probability, correlation })
}

fn loss() -> impl Strategy<Value = Loss> {
    let gemodel = (chance(), share(), share(), share()).prop_map(|(p, r, bad, good)| Loss::Gemodel {
        p: p.probability,
        r,
        bad,
        good,
    });
    let half = || (1..=1_u64 << 31).prop_map(|n| Probability::new(n).unwrap());
    let state = (half(), half(), half(), share(), half()).prop_map(|(p13, p31, p32, p23, p14)| Loss::State {
        p13,
        p31,
        p32,
        p23,
        p14,
    });
    prop_oneof![chance().prop_map(Loss::Random), gemodel, state]
}

fn delay() -> impl Strategy<Value = Delay> {
    use Distribution::{File, Normal, Pareto, ParetoNormal, Uniform};
    let distribution = select(vec![Uniform, Normal, Pareto, ParetoNormal, File("a/b".into())]);
    (1_u64..=3_600_000_000_000, 0_u64..=3_600_000_000_000, share(), distribution, any::<bool>()).prop_map(
        |(time, jitter, correlation, distribution, ordered)| {
            let distribution = if jitter == 0 { Uniform } else { distribution };
            Delay { time, jitter, correlation, distribution, ordered: ordered && jitter > 0 }
        },
    )
}

fn rate() -> impl Strategy<Value = Rate> {
    (1_u64.., -65_535..=65_535, 0_u32..=65_535, -65_535..=65_535, any::<u64>()).prop_map(
        |(bits, packet_overhead, cell, cell_overhead, burst)| Rate {
            bits,
            packet_overhead,
            cell,
            cell_overhead,
            burst,
        },
    )
}

fn limit() -> impl Strategy<Value = Limit> {
    prop_oneof![(1_u32..).prop_map(Limit::Packets), (1_u64..).prop_map(Limit::Bytes)]
}

/// Any combination of netem's words.
pub(super) fn netem() -> impl Strategy<Value = Netem> {
    let timing =
        (option::of(delay()), option::of((chance(), 1_u32..)), option::of(rate()), option::of(limit()));
    let verdict = (option::of(loss()), option::of(chance()), option::of((chance(), any::<bool>())));
    (timing, verdict).prop_filter_map("something happens", |((delay, reorder, rate, limit), verdict)| {
        let (loss, duplicate, corrupt) = verdict;
        let reorder = reorder
            .filter(|_| delay.as_ref().is_some_and(|delay| !delay.ordered))
            .map(|(chance, gap)| Reorder { chance, gap });
        let corrupt = corrupt.map(|(chance, fixed)| Corrupt { chance, fixed });
        let netem = Netem { delay, reorder, rate, limit, loss, duplicate, corrupt };
        (netem != Netem::default()).then_some(netem)
    })
}
