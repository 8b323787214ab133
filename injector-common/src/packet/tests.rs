//! Which packets a rule means, against a model that looks at the lists themselves.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
};

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;
use crate::address_set::{Blocks, tests::Listed};

/// The number of the rule.
const RULE: u32 = 5;

/// A network: its address, and how many bits of it count.
type Network = (IpAddr, u32);

/// What a rule asks, as it was written: without `not` and with it.
type Chosen<T> = [Option<T>; 2];

#[derive(Clone, Debug, Default)]
struct Asked {
    from: Chosen<Vec<Network>>,
    to: Chosen<Vec<Network>>,
    source: Chosen<Vec<RangeInclusive<u16>>>,
    destination: Chosen<Vec<RangeInclusive<u16>>>,
    either: Chosen<Vec<RangeInclusive<u16>>>,
    length: Chosen<RangeInclusive<u32>>,
    flags: Chosen<Flags>,
}

/// Flags, and of which others none is to be set; any of them without that.
type Flags = (u8, Option<u8>);

fn bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => mapped(address.octets()),
        IpAddr::V6(address) => address.octets(),
    }
}

impl Asked {
    /// As user space hands it to the kernel.
    fn rule(&self) -> (PacketMatch, Listed) {
        let mut rule = PacketMatch::ALL;
        let mut sets = Listed::default();
        for (chosen, bit, kind) in
            [(&self.from, FROM, address_set::FROM_V4), (&self.to, TO, address_set::TO_V4)]
        {
            mark(&mut rule, chosen, bit);
            for (list, barred) in chosen.iter().zip([0, BARRED]) {
                for &(address, length) in list.iter().flatten() {
                    let (kind, more) = if address.is_ipv4() { (kind, 96) } else { (kind + 1, 0) };
                    let set = set(RULE, kind | barred);
                    sets.0.push(Element::network(set, bytes(address), more + length));
                }
            }
        }
        for (chosen, bit, kind) in [
            (&self.source, SOURCE_PORT, address_set::SOURCE),
            (&self.destination, DESTINATION_PORT, address_set::DESTINATION),
            (&self.either, EITHER_PORT, address_set::EITHER),
        ] {
            mark(&mut rule, chosen, bit);
            for (list, barred) in chosen.iter().zip([0, BARRED]) {
                let set = set(RULE, kind | barred);
                for range in list.iter().flatten() {
                    let blocks = Blocks::of(*range.start(), *range.end());
                    sets.0.extend(blocks.map(|(port, length)| Element::ports(set, port, length)));
                }
            }
        }
        let range = |range: &RangeInclusive<u32>| Range { first: *range.start(), last: *range.end() };
        let flags = |&(set, of): &Flags| of.map_or(TcpFlags::any_of(set), |of| TcpFlags::exactly(set, of));
        let [length, not_length] = &self.length;
        rule.length = length.as_ref().map_or(Range::ALL, range);
        rule.not_length = not_length.as_ref().map_or(Range::NONE, range);
        let [only, not] = &self.flags;
        rule.flags = only.as_ref().map_or(TcpFlags::ANY, flags);
        rule.not_flags = not.as_ref().map_or(TcpFlags::NONE, flags);
        (rule, sets)
    }

    /// Does it mean a packet of TCP between these ends, so long, with these flags?
    fn means(&self, from: (IpAddr, u16), to: (IpAddr, u16), length: u32, flags: u8) -> bool {
        let within = |chosen: &Chosen<Vec<Network>>, address| {
            agrees(chosen, |list| list.iter().any(|&network| contains(network, address)))
        };
        let listed = |chosen: &Chosen<Vec<RangeInclusive<u16>>>, ports: &[u16]| {
            agrees(chosen, |list| list.iter().any(|range| ports.iter().any(|port| range.contains(port))))
        };
        within(&self.from, from.0)
            && within(&self.to, to.0)
            && listed(&self.source, &[from.1])
            && listed(&self.destination, &[to.1])
            && listed(&self.either, &[from.1, to.1])
            && agrees(&self.length, |range| range.contains(&length))
            && agrees(&self.flags, |&(set, of)| match of {
                None => (0..8).any(|bit| set >> bit & flags >> bit & 1 == 1),
                Some(of) => (0..8).all(|bit| of >> bit & 1 == 0 || set >> bit & 1 == flags >> bit & 1),
            })
    }
}

fn agrees<T>([only, not]: &Chosen<T>, meets: impl Fn(&T) -> bool) -> bool {
    only.as_ref().is_none_or(&meets) && !not.as_ref().is_some_and(&meets)
}

fn mark<T>(rule: &mut PacketMatch, [only, not]: &Chosen<T>, bit: u32) {
    rule.asked |= if only.is_some() { bit } else { 0 };
    rule.barred |= if not.is_some() { bit } else { 0 };
}

fn contains((network, length): Network, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let differ = u32::from(network) ^ u32::from(address);
            length == 0 || differ >> (32 - length) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let differ = u128::from(network) ^ u128::from(address);
            length == 0 || differ >> (128 - length) == 0
        }
        _ => false,
    }
}

fn packet((source, source_port): (IpAddr, u16), (destination, destination_port): (IpAddr, u16)) -> Packet {
    Packet {
        source: bytes(source),
        destination: bytes(destination),
        source_port,
        destination_port,
        protocol: 6,
        family: if source.is_ipv4() { 4 } else { 6 },
        direction: EGRESS,
        ..Packet::default()
    }
}

/// Few addresses, near each other, so that networks have some of them.
fn addresses(ipv4: bool) -> impl Strategy<Value = IpAddr> {
    (0_u32..4, 0_u32..4).prop_map(move |(high, low)| {
        if ipv4 {
            IpAddr::from(Ipv4Addr::from_bits((10 << 24) + (high << 15) + low))
        } else {
            let (high, low) = (u128::from(high), u128::from(low));
            IpAddr::from(Ipv6Addr::from_bits((0xfd << 120) + (high << 63) + low))
        }
    })
}

fn chosen<T: Clone + std::fmt::Debug>(
    one: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = Chosen<T>> {
    [option::weighted(0.3, one.clone()), option::weighted(0.3, one)]
}

fn networks() -> impl Strategy<Value = Vec<Network>> + Clone {
    let network = any::<bool>().prop_flat_map(|ipv4| {
        let lengths = if ipv4 { vec![0, 8, 15, 17, 31, 32] } else { vec![0, 8, 63, 65, 127, 128] };
        (addresses(ipv4), select(lengths))
    });
    vec(network, 1..4)
}

fn ranges() -> impl Strategy<Value = Vec<RangeInclusive<u16>>> + Clone {
    vec((1_u16..9, 1_u16..9).prop_map(|(a, b)| a.min(b)..=a.max(b)), 1..3)
}

fn asked() -> impl Strategy<Value = Asked> {
    let lengths = (20_u32..30, 20_u32..30).prop_map(|(a, b)| a.min(b)..=a.max(b));
    let flags = (1_u8.., option::of(any::<u8>())).prop_map(|(set, of)| (set, of.map(|of| of | set)));
    let ports = (chosen(ranges()), chosen(ranges()), chosen(ranges()));
    (chosen(networks()), chosen(networks()), ports, chosen(lengths), chosen(flags)).prop_map(
        |(from, to, (source, destination, either), length, flags)| Asked {
            from,
            to,
            source,
            destination,
            either,
            length,
            flags,
        },
    )
}

fn ends() -> impl Strategy<Value = ((IpAddr, u16), (IpAddr, u16))> {
    any::<bool>().prop_flat_map(|ipv4| ((addresses(ipv4), 0_u16..10), (addresses(ipv4), 0_u16..10)))
}

#[test]
fn the_empty_match_means_everything() {
    let (all, mut none) = Asked::default().rule();
    let here = (IpAddr::from([127, 0, 0, 1]), 1);
    assert!(all.holds(RULE, &packet(here, here), &mut none));
    assert!(!PacketMatch { directions: INGRESS, ..all }.holds(RULE, &packet(here, here), &mut none));
}

#[test]
fn any_address_is_one_of_its_family() {
    let v4 = Asked { to: [Some(vec![(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)]), None], ..Asked::default() };
    let v6 = Asked { to: [Some(vec![(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0)]), None], ..Asked::default() };
    let four = packet((IpAddr::from([1, 2, 3, 4]), 0), (IpAddr::from([5, 6, 7, 8]), 0));
    let six = packet((IpAddr::V6(Ipv6Addr::LOCALHOST), 0), (IpAddr::V6(Ipv6Addr::LOCALHOST), 0));
    for (asked, expected) in [(v4, [true, false]), (v6, [false, true])] {
        let (rule, mut sets) = asked.rule();
        assert_eq!([&four, &six].map(|packet| rule.holds(RULE, packet, &mut sets)), expected, "{asked:?}");
    }
}

proptest! {
    #[test]
    fn a_rule_means_what_its_words_say(asked in asked(), seen in vec((ends(), 20_u32..30, any::<u8>()), 8)) {
        let (rule, mut sets) = asked.rule();
        for ((from, to), length, flags) in seen {
            let packet = Packet { flags, length, ..packet(from, to) };
            let expected = asked.means(from, to, length, flags);
            prop_assert_eq!(rule.holds(RULE, &packet, &mut sets), expected, "{:?}", packet);
            // The sets are those of this rule.
            if rule.asked != 0 {
                prop_assert!(!rule.holds(RULE + 1, &packet, &mut sets));
            }
        }
    }

    #[test]
    fn a_prefix_contains_what_the_standard_library_says(a: u32, b: u32, length in 0u32..=32) {
        let (a, b) = (Ipv4Addr::from(a), Ipv4Addr::from(b));
        let shift = |ip: Ipv4Addr| u64::from(u32::from(ip)) >> (32 - length);
        let prefix = Prefix::new(mapped(a.octets()), 96 + length);
        prop_assert_eq!(prefix.contains(&mapped(b.octets())), shift(a) == shift(b));
    }

    #[test]
    fn an_ipv6_prefix_is_its_leading_bits(a: u128, b: u128, length in 0u32..=128) {
        let same = length == 0 || (a ^ b) >> (128 - length) == 0;
        prop_assert_eq!(Prefix::new(a.to_be_bytes(), length).contains(&b.to_be_bytes()), same);
    }

    #[test]
    fn a_mapped_address_is_the_standard_librarys(v4: u32) {
        let v4 = Ipv4Addr::from(v4);
        prop_assert_eq!(IpAddr::V6(v4.to_ipv6_mapped()), IpAddr::from(mapped(v4.octets())));
    }
}
