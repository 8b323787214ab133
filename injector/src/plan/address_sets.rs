//! Which addresses and ports the rules on packets mean, as the kernel side looks them up: elements of the sets
//! that stand by the rules' numbers, see [`injector_common::address_set`].

use std::ops::RangeInclusive;

use injector_common::{
    address_set::{
        BARRED, Blocks, DESTINATION, EITHER, Element, FROM_V4, FROM_V6, MAX_ELEMENTS, SOURCE, TO_V4, TO_V6,
        set,
    },
    dns,
};
use ipnet::IpNet;

use crate::{
    plan::{PlanError, PlannedRule, packets::mapped_network},
    spec::{address::Addresses, model::RuleKind, packet::NetFault},
};

/// The elements of the sets of `rule`; none if it is not on packets.
pub fn address_sets(rule: &PlannedRule) -> Vec<Element> {
    let RuleKind::Net(net) = &rule.asked else { return Vec::new() };
    let mut out = Vec::new();
    for (chosen, kinds) in [(&net.from, [FROM_V4, FROM_V6]), (&net.to, [TO_V4, TO_V6])] {
        for (list, barred) in [(&chosen.only, 0), (&chosen.not, BARRED)] {
            // Those that lie in others are left out, and neighbours are joined.
            let networks: Vec<IpNet> = list.iter().flat_map(Addresses::networks).collect();
            for net in IpNet::aggregate(&networks) {
                let (address, length) = mapped_network(net);
                let kind = kinds[usize::from(net.addr().is_ipv6())] | barred;
                out.push(Element::network(set(rule.number, kind), address, length));
            }
        }
    }
    let ports = &net.ports;
    if matches!(net.fault, NetFault::Dns(_))
        && ports.destination.only.is_none()
        && ports.either.only.is_none()
    {
        out.push(Element::ports(set(rule.number, DESTINATION), dns::PORT, 16));
    }
    for (chosen, kind) in
        [(&ports.source, SOURCE), (&ports.destination, DESTINATION), (&ports.either, EITHER)]
    {
        for (list, kind) in [(&chosen.only, kind), (&chosen.not, kind | BARRED)] {
            let set = set(rule.number, kind);
            for range in list.iter().flat_map(|list| joined(&list.0)) {
                let blocks = Blocks::of(*range.start(), *range.end());
                out.extend(blocks.map(|(port, length)| Element::ports(set, port, length)));
            }
        }
    }
    out
}

/// The same ports in ranges that neither touch nor overlap.
fn joined(list: &[RangeInclusive<u16>]) -> Vec<RangeInclusive<u16>> {
    let mut sorted = list.to_vec();
    sorted.sort_unstable_by_key(|range| *range.start());
    let mut out: Vec<RangeInclusive<u16>> = Vec::new();
    for range in sorted {
        match out.last_mut() {
            Some(before) if u32::from(*range.start()) <= u32::from(*before.end()) + 1 => {
                *before = *before.start()..=*before.end().max(range.end());
            }
            _ => out.push(range),
        }
    }
    out
}

/// Do all fit?
pub(super) fn check(rules: &[PlannedRule]) -> Result<(), PlanError> {
    let given = rules.iter().map(|rule| address_sets(rule).len()).sum();
    if given > MAX_ELEMENTS as usize { Err(PlanError::TooManyElements { given }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::joined;

    proptest! {
        #[test]
        fn joined_ranges_have_the_same_ports(
            list in vec((1_u16..40, 1_u16..40).prop_map(|(a, b)| a.min(b)..=a.max(b)), 0..6),
        ) {
            let joined = joined(&list);
            for port in 0..45 {
                let has = |ranges: &[std::ops::RangeInclusive<u16>]| ranges.iter().any(|range| range.contains(&port));
                prop_assert_eq!(has(&joined), has(&list));
            }
            prop_assert!(joined.windows(2).all(|two| *two[0].end() + 1 < *two[1].start()));
        }
    }
}
