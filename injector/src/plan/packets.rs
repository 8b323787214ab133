//! Packet rules: words and networks to what the kernel side compares.

use std::{net::IpAddr, time::Duration};

use injector_common::{
    chance::Bernoulli,
    code::FaultCode,
    delay::{Delay as KernelDelay, LONGEST, UNIFORM},
    loss::Loss as KernelLoss,
    netem::{Netem as KernelNetem, SPLIT, UNFIXED, VIA_DELAY_LINE, VIA_DELAY_LINE_IN},
    packet::{
        ANY_PROTOCOL, DESTINATION_PORT, EGRESS, EITHER_PORT, FROM, ICMP, INGRESS, PacketMatch, Prefix, Range,
        SOURCE_PORT, TCP, TO, TcpFlags, UDP, mapped,
    },
    rate::Rate as KernelRate,
    reorder::{MOST_GAP, Reorder as KernelReorder},
    rule::Rule as KernelRule,
    timing::{ORDERED, Timing, WAITS},
};
use ipnet::IpNet;

use crate::{
    clock::nanoseconds,
    plan::{Distributions, PlanError, refusals},
    spec::{
        header::{Flags, Lengths},
        model::{Rule, RuleKind},
        netem::{Chance, DEFAULT_LIMIT, Delay, Distribution, Limit, Loss, Netem, Rate},
        packet::{Direction, NetFault, NetRule, Protocol},
        units::Probability,
    },
};

/// Refuses what this version cannot do to packets.
pub(super) fn check(rule: &Rule, longest: Duration) -> Result<(), PlanError> {
    let RuleKind::Net(net) = &rule.kind else { return Ok(()) };
    let NetFault::Netem(netem) = &net.fault else { return Ok(()) };
    let refused =
        |word, why, instead| Err(PlanError::Impairment { rule: rule.text.clone(), word, why, instead });
    let latest = netem.delay.as_ref().map_or(0, latest);
    let latest = Duration::from_nanos(latest);
    if latest > longest {
        return Err(PlanError::TooLate { rule: rule.text.clone(), latest, longest });
    }
    if netem.reorder.is_some_and(|reorder| reorder.gap > MOST_GAP) {
        return refused(
            "gap",
            "no more than 1023 packets are counted between two that overtake",
            "write a smaller gap, or `reorder` with a small probability",
        );
    }
    Ok(())
}

/// Fills in which packets are meant and what happens to them.
pub(super) fn describe(
    asked: &NetRule,
    rule: &mut KernelRule,
    distributions: &Distributions,
    longest: Duration,
) {
    rule.packets = matching(asked);
    match &asked.fault {
        NetFault::Partition => rule.fault = FaultCode::DROP,
        NetFault::Connect(error) => refusals::connect(*error, rule),
        NetFault::Reject(how) => refusals::reject(*how, rule),
        NetFault::Dns(dns) => refusals::dns(dns, rule),
        NetFault::Netem(netem) => {
            rule.fault = FaultCode::NETEM;
            rule.netem = models(netem, distributions, nanoseconds(longest).min(LONGEST));
            rule.netem.via = via(asked, netem);
        }
    }
}

/// How the packets get there.
fn via(asked: &NetRule, netem: &Netem) -> u64 {
    let unfixed = netem.corrupt.is_some_and(|corrupt| !corrupt.fixed);
    let waits = netem.waits().is_some();
    let changed = netem.duplicate.is_some() || netem.corrupt.is_some();
    let (out, comes_in) = (asked.direction != Direction::Ingress, asked.direction != Direction::Egress);
    let mut via = 0;
    if out && (waits || unfixed) {
        via |= VIA_DELAY_LINE;
    }
    if comes_in && (waits || changed) {
        via |= VIA_DELAY_LINE_IN;
    }
    // What is sent by ICMP is one packet each. What comes in and can only be lost takes no detour for that.
    let several = asked.protocol != Protocol::Icmp && (netem.loss.is_some() || changed);
    if several && (out || via != 0) {
        via |= SPLIT;
    }
    if unfixed { via | UNFIXED } else { via }
}

/// netem's words as numbers.
fn models(asked: &Netem, distributions: &Distributions, longest: u64) -> KernelNetem {
    let bernoulli =
        |chance: Chance| Bernoulli::new(chance.probability.numerator(), chance.correlation.numerator());
    KernelNetem {
        loss: asked.loss.map_or(KernelLoss::NONE, chain),
        duplicate: asked.duplicate.map_or(Bernoulli::NEVER, bernoulli),
        corrupt: asked.corrupt.map_or(Bernoulli::NEVER, |corrupt| bernoulli(corrupt.chance)),
        timing: timing(asked, distributions, longest),
        via: 0,
    }
}

/// When packets leave.
fn timing(asked: &Netem, distributions: &Distributions, longest: u64) -> Timing {
    if asked.waits().is_none() {
        return Timing::NONE;
    }
    let delay = asked.delay.as_ref().map_or(KernelDelay::NONE, |delay| KernelDelay {
        base: delay.time,
        jitter: delay.jitter,
        repeat: delay.correlation.numerator(),
        table: distributions.number(&delay.distribution),
        _pad: 0,
    });
    let reorder = asked.reorder.map_or(KernelReorder::NONE, |reorder| KernelReorder {
        chance: Bernoulli::new(
            reorder.chance.probability.numerator(),
            reorder.chance.correlation.numerator(),
        ),
        gap: u64::from(reorder.gap),
    });
    let rate = asked.rate.map_or(KernelRate::NONE, |rate| KernelRate {
        bytes: (rate.bits / 8).max(1),
        packet_overhead: rate.packet_overhead,
        cell: rate.cell,
        cell_overhead: rate.cell_overhead,
        _pad: 0,
        burst: burst(rate),
    });
    let (limit, room) = match asked.limit {
        None => (u64::from(DEFAULT_LIMIT), u64::MAX),
        Some(Limit::Packets(packets)) => (packets.into(), u64::MAX),
        Some(Limit::Bytes(bytes)) => (u32::MAX.into(), bytes),
    };
    let ordered = asked.delay.as_ref().is_some_and(|delay| delay.ordered);
    Timing {
        delay,
        reorder,
        rate,
        longest,
        limit,
        room,
        flags: WAITS | if ordered { ORDERED } else { 0 },
        _pad: 0,
    }
}

/// How long the wire takes for what passes at once.
fn burst(rate: Rate) -> u64 {
    let time = u128::from(rate.burst) * 8_000_000_000 / u128::from(rate.bits);
    u64::try_from(time).unwrap_or(u64::MAX)
}

/// The longest that a delay can come to.
fn latest(asked: &Delay) -> u64 {
    let table = if asked.distribution == Distribution::Uniform { UNIFORM } else { 0 };
    KernelDelay { base: asked.time, jitter: asked.jitter, table, ..KernelDelay::NONE }.latest()
}

fn chain(asked: Loss) -> KernelLoss {
    let n = Probability::numerator;
    match asked {
        Loss::Random(Chance { probability, correlation }) => {
            KernelLoss::random(n(probability), n(correlation))
        }
        Loss::Gemodel { p, r, bad, good } => KernelLoss::gilbert_elliott(n(p), n(r), n(bad), n(good)),
        Loss::State { p13, p31, p32, p23, p14 } => {
            KernelLoss::four_state(n(p13), n(p31), n(p32), n(p23), n(p14))
        }
    }
}

/// Which packets `rule` means.
fn matching(rule: &NetRule) -> PacketMatch {
    let (asked, barred) = sets(rule);
    PacketMatch {
        directions: match rule.direction {
            Direction::Egress => EGRESS,
            Direction::Ingress => INGRESS,
            Direction::Both => EGRESS | INGRESS,
        },
        protocols: match rule.protocol {
            Protocol::Any => ANY_PROTOCOL,
            Protocol::TcpOrUdp => TCP | UDP,
            Protocol::Tcp => TCP,
            Protocol::Udp => UDP,
            Protocol::Icmp => ICMP,
            Protocol::Except(bits) => ANY_PROTOCOL & !bits,
        },
        asked,
        barred,
        length: rule.length.only.map_or(Range::ALL, range),
        not_length: rule.length.not.map_or(Range::NONE, range),
        flags: rule.flags.only.map_or(TcpFlags::ANY, flags),
        not_flags: rule.flags.not.map_or(TcpFlags::NONE, flags),
    }
}

/// Which sets the rule has, and which behind `not`.
fn sets(rule: &NetRule) -> (u32, u32) {
    let (from, to, ports) = (&rule.from, &rule.to, &rule.ports);
    let all = [
        (from.only.is_some(), from.not.is_some(), FROM),
        (to.only.is_some(), to.not.is_some(), TO),
        (ports.source.only.is_some(), ports.source.not.is_some(), SOURCE_PORT),
        (ports.destination.only.is_some(), ports.destination.not.is_some(), DESTINATION_PORT),
        (ports.either.only.is_some(), ports.either.not.is_some(), EITHER_PORT),
    ];
    all.into_iter().fold((0, 0), |(asked, barred), (only, not, bit)| {
        (asked | if only { bit } else { 0 }, barred | if not { bit } else { 0 })
    })
}

const fn range(lengths: Lengths) -> Range {
    Range { first: lengths.first, last: lengths.last }
}

fn flags(asked: Flags) -> TcpFlags {
    asked.of.map_or(TcpFlags::any_of(asked.set), |of| TcpFlags::exactly(asked.set, of))
}

/// Which of `rules` are on packets, by their place.
pub(super) fn places(rules: &[Rule]) -> Vec<u32> {
    let packets = rules.iter().zip(0..).filter(|(rule, _)| matches!(rule.kind, RuleKind::Net(_)));
    packets.map(|(_, place)| place).collect()
}

/// A network in the form that serves both families.
pub(super) fn prefix(net: IpNet) -> Prefix {
    let (address, length) = mapped_network(net);
    Prefix::new(address, length)
}

/// Its address, and how many bits of that count.
pub(super) fn mapped_network(net: IpNet) -> ([u8; 16], u32) {
    let length = u32::from(net.prefix_len());
    match net.addr() {
        IpAddr::V4(address) => (mapped(address.octets()), 96 + length),
        IpAddr::V6(address) => (address.octets(), length),
    }
}
