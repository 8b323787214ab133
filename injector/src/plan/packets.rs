//! Packet rules: words and networks to what the kernel side compares.

use std::net::IpAddr;

use injector_common::{
    packet::{
        ANY_PROTOCOL, DESTINATION, EGRESS, EITHER, ICMP, INGRESS, MAX_PORTS, PacketMatch, PortRange, Prefix,
        SOURCE, TCP, UDP, V4, V6, mapped,
    },
    rule::{FAULT_DROP, Rule as KernelRule},
    trigger::Threshold,
};
use ipnet::IpNet;

use super::PlanError;
use crate::spec::{
    model::{Rule, RuleKind},
    netem::{Loss, Netem},
    packet::{Direction, NetFault, NetRule, Protocol},
};

/// Refuses what this version cannot do to packets.
pub(super) fn check(rule: &Rule) -> Result<(), PlanError> {
    let RuleKind::Net(NetRule { fault: NetFault::Netem(netem), .. }) = &rule.kind else { return Ok(()) };
    let refused =
        |word, why, instead| Err(PlanError::Impairment { rule: rule.text.clone(), word, why, instead });
    if let Some(word) = netem.waits() {
        let instead = "leave it out; a qdisc (tc-netem(8)) does it to everybody who uses the device";
        return refused(word, "this version has no queue in which packets could wait", instead);
    }
    match **netem {
        Netem { loss: Some(Loss::Random(chance)), duplicate: None, corrupt: None, .. }
            if chance.correlation.numerator() == 0 =>
        {
            Ok(())
        }
        _ => refused("loss", "this version does `loss P%` alone", "write `loss P%`, or `partition`"),
    }
}

/// Fills in which packets are meant and what happens to them.
pub(super) fn describe(asked: &NetRule, rule: &mut KernelRule) {
    rule.packets = matching(asked);
    rule.fault = FAULT_DROP;
    if let NetFault::Netem(netem) = &asked.fault
        && let Some(Loss::Random(chance)) = netem.loss
    {
        rule.threshold = Threshold(chance.probability.numerator());
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
fn prefix(net: IpNet) -> Prefix {
    let length = u32::from(net.prefix_len());
    match net.addr() {
        IpAddr::V4(address) => Prefix::new(mapped(address.octets()), 96 + length),
        IpAddr::V6(address) => Prefix::new(address.octets(), length),
    }
}
