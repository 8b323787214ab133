//! Packet rules: words and networks to what the kernel side compares.

use std::net::IpAddr;

use injector_common::{
    chance::Coin,
    loss::Loss as KernelLoss,
    netem::Netem as KernelNetem,
    packet::{
        ANY_PROTOCOL, DESTINATION, EGRESS, EITHER, ICMP, INGRESS, MAX_PORTS, PacketMatch, PortRange, Prefix,
        SOURCE, TCP, UDP, V4, V6, mapped,
    },
    rule::{FAULT_DROP, FAULT_NETEM, Rule as KernelRule},
};
use ipnet::IpNet;

use super::{PlanError, refusals};
use crate::spec::{
    model::{Rule, RuleKind},
    netem::{Chance, Loss, Netem},
    packet::{Direction, NetFault, NetRule, Protocol},
    units::Probability,
};

/// Refuses what this version cannot do to packets.
pub(super) fn check(rule: &Rule) -> Result<(), PlanError> {
    let RuleKind::Net(net) = &rule.kind else { return Ok(()) };
    let NetFault::Netem(netem) = &net.fault else { return Ok(()) };
    let refused =
        |word, why, instead| Err(PlanError::Impairment { rule: rule.text.clone(), word, why, instead });
    if let Some(word) = netem.waits() {
        let instead = "leave it out; a qdisc (tc-netem(8)) does it to everybody who uses the device";
        return refused(word, "this version has no queue in which packets could wait", instead);
    }
    if netem.corrupt.is_some_and(|corrupt| !corrupt.fixed) {
        return refused(
            "corrupt",
            "a checksum that is left wrong would be made right again, or not looked at, on its way out of this \
             machine",
            "write `corrupt P% fixed` for damage that reaches the application, or `loss P%` for packets that the \
             receiver throws away",
        );
    }
    let incoming = net.direction != Direction::Egress;
    let written = if netem.duplicate.is_some() { "duplicate" } else { "corrupt" };
    if incoming && (netem.duplicate.is_some() || netem.corrupt.is_some()) {
        let instead = "write it for `egress`, at the end that sends the packets, or `loss P%` here";
        return refused(
            written,
            "packets that come in can only be dropped where a cgroup sees them",
            instead,
        );
    }
    Ok(())
}

/// Fills in which packets are meant and what happens to them.
pub(super) fn describe(asked: &NetRule, rule: &mut KernelRule) {
    rule.packets = matching(asked);
    match &asked.fault {
        NetFault::Partition => rule.fault = FAULT_DROP,
        NetFault::Connect(error) => refusals::connect(*error, rule),
        NetFault::Reject(how) => refusals::reject(*how, rule),
        NetFault::Netem(netem) => (rule.fault, rule.netem) = (FAULT_NETEM, models(netem)),
    }
}

/// netem's words as numbers.
fn models(asked: &Netem) -> KernelNetem {
    let coin = |chance: Chance| Coin::new(chance.probability.numerator(), chance.correlation.numerator());
    KernelNetem {
        loss: asked.loss.map_or(KernelLoss::NONE, chain),
        duplicate: asked.duplicate.map_or(Coin::NEVER, coin),
        corrupt: asked.corrupt.map_or(Coin::NEVER, |corrupt| coin(corrupt.chance)),
    }
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
    let mut out = PacketMatch {
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
        },
        families: match rule.from.or(rule.to) {
            None => V4 | V6,
            Some(IpNet::V4(_)) => V4,
            Some(IpNet::V6(_)) => V6,
        },
        from: rule.from.map(prefix).unwrap_or_default(),
        to: rule.to.map(prefix).unwrap_or_default(),
        ..PacketMatch::NONE
    };
    let lists =
        [(SOURCE, &rule.ports.source), (DESTINATION, &rule.ports.destination), (EITHER, &rule.ports.either)];
    let ranges = lists.into_iter().flat_map(|(end, list)| list.iter().map(move |range| (end, range)));
    for (slot, (end, range)) in out.ports.iter_mut().zip(ranges) {
        out.lists |= 1 << end;
        *slot = PortRange { low: *range.start(), high: *range.end(), end, _pad: 0 };
    }
    out
}

/// Which of `rules` are on packets, by their place.
pub(super) fn places(rules: &[Rule]) -> Vec<u32> {
    let packets = rules.iter().zip(0..).filter(|(rule, _)| matches!(rule.kind, RuleKind::Net(_)));
    packets.map(|(_, place)| place).collect()
}

/// Whether the rule's port ranges fit what the kernel side holds.
pub(super) fn ports_fit(rule: &NetRule) -> bool {
    rule.ports.count() <= MAX_PORTS
}

/// A network in the form that serves both families.
pub(super) fn prefix(net: IpNet) -> Prefix {
    let length = u32::from(net.prefix_len());
    match net.addr() {
        IpAddr::V4(address) => Prefix::new(mapped(address.octets()), 96 + length),
        IpAddr::V6(address) => Prefix::new(address.octets(), length),
    }
}
