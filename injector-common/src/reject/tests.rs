//! Answers against what the RFCs say of them, read with other eyes than those that wrote them.

use proptest::prelude::*;

use super::*;
use crate::packet::mapped;

fn packet(protocol: u8, family: u16, length: u32) -> Packet {
    let (source, destination) = match family {
        4 => (mapped([10, 0, 0, 1]), mapped([10, 0, 0, 2])),
        _ => ([0xfd; 16], [0xfe; 16]),
    };
    Packet {
        source,
        destination,
        source_port: 40_000,
        destination_port: 443,
        protocol,
        family,
        length,
        ..Packet::default()
    }
}

fn plain(family: u16, detail: u32) -> Layout {
    Layout { link: ETHERNET, transport: if family == 4 { 20 } else { 40 }, detail, marks: 0 }
}

/// The one's complement sum of all words, which is 0xffff where a checksum among them is right.
fn total(bytes: &[u8], more: u32) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum = words.sum::<u32>() + more;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

/// What the receiver adds to the sum of what the IP header carries.
fn of_addresses(answer: &[u8], protocol: u8) -> u32 {
    let (addresses, header) = if answer[0] >> 4 == 4 { (12..20, 20) } else { (8..40, 40) };
    let words = answer[addresses].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    words.sum::<u32>() + u32::from(protocol) + u32::try_from(answer.len() - header).unwrap()
}

fn is_from_the_other_end(answer: &[u8], packet: &Packet) {
    if packet.family == 4 {
        assert_eq!(total(&answer[..20], 0), 0xffff);
        assert_eq!(
            (answer[0], usize::from(u16::from_be_bytes([answer[2], answer[3]]))),
            (0x45, answer.len())
        );
        assert_eq!((&answer[12..16], &answer[16..20]), (&packet.destination[12..], &packet.source[12..]));
    } else {
        let carried = usize::from(u16::from_be_bytes([answer[4], answer[5]]));
        assert_eq!((answer[0], carried + 40), (0x60, answer.len()));
        assert_eq!((&answer[8..24], &answer[24..40]), (&packet.destination[..], &packet.source[..]));
    }
}

fn reset_of(packet: &Packet, tcp: &[u8; 20]) -> Vec<u8> {
    let mut out = [0; LONGEST];
    let length = reset(&mut out, packet, tcp) as usize;
    assert!(out[length..].iter().all(|&byte| byte == 0));
    out[..length].to_vec()
}

fn refusal_of(packet: &Packet, kind: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = [0; LONGEST];
    let (from, count) = (quotation(packet.family), quoted(packet) as usize);
    out[from..from + count].copy_from_slice(&bytes[..count]);
    let length = refuse(&mut out, packet, kind) as usize;
    assert_eq!(length, from + count);
    out[..length].to_vec()
}

#[test]
fn a_syn_is_refused_by_its_number() {
    let mut tcp = [0; 20];
    tcp[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    tcp[12] = 10 << 4;
    tcp[13] = 2;
    let syn = packet(6, 4, 60);
    let answer = reset_of(&syn, &tcp);
    assert_eq!(&answer[20..24], [1, 187, 156, 64], "from port 443 to 40000");
    assert_eq!((&answer[24..28], &answer[28..32]), (&[0; 4][..], &[0; 4][..]), "the next number is 0 again");
    assert_eq!((answer[32], answer[33]), (0x50, 0x14));
}

#[test]
fn what_was_acknowledged_is_where_the_reset_stands() {
    let mut tcp = [0; 20];
    tcp[8..12].copy_from_slice(&[1, 2, 3, 4]);
    tcp[12] = 5 << 4;
    tcp[13] = 0x18;
    let answer = reset_of(&packet(6, 6, 1000), &tcp);
    assert_eq!((&answer[44..48], answer[53]), (&[1, 2, 3, 4][..], 4));
}

#[test]
fn some_packets_are_not_answered() {
    let ask = |asked, protocol, layout: Layout| answer(asked, &packet(protocol, 4, 100), &layout);
    assert_eq!(ask(BY_PROTOCOL, 6, plain(4, 2)), RESET);
    assert_eq!(ask(BY_PROTOCOL, 17, plain(4, 0)), NO_PORT);
    assert_eq!(ask(NO_HOST, 6, plain(4, 4)), NO_HOST);
    assert_eq!(ask(RESET, 6, plain(4, 0x14)), SILENCE, "a reset");
    assert_eq!(ask(NO_PORT, 1, plain(4, 8)), NO_PORT, "ping");
    for error in [3, 4, 5, 11, 12] {
        assert_eq!(ask(NO_PORT, 1, plain(4, error)), SILENCE);
    }
    let v6 = |kind| answer(NO_PORT, &packet(58, 6, 100), &plain(6, kind));
    assert_eq!([v6(1), v6(127), v6(137), v6(128)], [SILENCE, SILENCE, SILENCE, NO_PORT]);
    assert_eq!(ask(NO_PORT, 17, Layout { marks: GROUP, ..plain(4, 0) }), SILENCE);
    assert_eq!(ask(RESET, 6, Layout { marks: FRAGMENT, ..plain(4, 2) }), SILENCE);
    assert_eq!(ask(NO_PORT, 17, Layout { marks: FRAGMENT, ..plain(4, 0) }), NO_PORT, "the first fragment");
    assert_eq!(ask(NO_PORT, 17, Layout { transport: 0, ..plain(4, 0) }), SILENCE, "a later one");
}

#[test]
fn what_is_not_known_is_left_alone() {
    let ask = |asked, layout: Layout| answer(asked, &packet(6, 4, 100), &layout);
    for link in [4, 18, 20, u32::MAX - 3] {
        assert_eq!(ask(RESET, Layout { link, ..plain(4, 2) }), IMPOSSIBLE);
        assert_eq!(ask(NO_NET, Layout { link, ..plain(4, 2) }), IMPOSSIBLE);
    }
    assert_eq!(ask(RESET, Layout { link: 0, ..plain(4, 2) }), RESET);
    assert_eq!(ask(RESET, Layout { transport: 24, ..plain(4, 2) }), IMPOSSIBLE, "options");
    assert_eq!(ask(NO_NET, Layout { transport: 60, ..plain(4, 2) }), NO_NET);
    assert_eq!(answer(NO_NET, &packet(6, 6, 500), &Layout { transport: 121, ..plain(6, 2) }), IMPOSSIBLE);
    assert_eq!(answer(NO_NET, &packet(17, 4, 27), &plain(4, 0)), IMPOSSIBLE, "cut off");
}

proptest! {
    #[test]
    fn resets_are_right(tcp: [u8; 20], v4: bool, payload in 0_u32..60_000, source: [u8; 4]) {
        let mut tcp = tcp;
        tcp[12] = 5 << 4 | tcp[12] & 15;
        let mut packet = packet(6, if v4 { 4 } else { 6 }, payload + if v4 { 40 } else { 60 });
        packet.source[12..].copy_from_slice(&source);
        let answer = reset_of(&packet, &tcp);
        is_from_the_other_end(&answer, &packet);
        let header = if v4 { 20 } else { 40 };
        prop_assert_eq!(answer.len(), header + 20);
        prop_assert_eq!(total(&answer[header..], of_addresses(&answer, 6)), 0xffff);
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
        let flags = answer[header + 13];
        if tcp[13] & 16 == 0 {
            let ends = u32::from(tcp[13] >> 1 & 1) + u32::from(tcp[13] & 1);
            let next = number(&tcp[4..8]).wrapping_add(payload).wrapping_add(ends);
            prop_assert_eq!((flags, number(&answer[header + 8..header + 12])), (0x14, next));
        } else {
            prop_assert_eq!((flags, &answer[header + 4..header + 8]), (4, &tcp[8..12]));
        }
    }

    #[test]
    fn refusals_are_right(bytes in proptest::collection::vec(any::<u8>(), 48..300), v4: bool, kind in NO_NET..=FORBIDDEN) {
        let packet = packet(17, if v4 { 4 } else { 6 }, u32::try_from(bytes.len()).unwrap());
        let answer = refusal_of(&packet, kind, &bytes);
        is_from_the_other_end(&answer, &packet);
        let (header, quote) = if v4 { (20, 28) } else { (40, 48) };
        prop_assert_eq!(&answer[quote..], &bytes[..bytes.len().min(QUOTE)]);
        let more = if v4 { 0 } else { of_addresses(&answer, 58) };
        prop_assert_eq!(total(&answer[header..], more), 0xffff);
        let v4_codes = [0, 1, 3, 13];
        let v6_codes = [0, 3, 4, 1];
        let code = if v4 { v4_codes } else { v6_codes }[(kind - NO_NET) as usize];
        prop_assert_eq!((answer[header], answer[header + 1]), (if v4 { 3 } else { 1 }, code));
    }

    #[test]
    fn no_packet_is_answered_with_anything_else(asked in RESET..=BY_PROTOCOL, protocol: u8, v4: bool, layout: [u32; 4], length: u32) {
        let packet = packet(protocol, if v4 { 4 } else { 6 }, length);
        let [link, transport, detail, marks] = layout;
        let given = answer(asked, &packet, &Layout { link, transport, detail, marks });
        prop_assert!(given == SILENCE || given == IMPOSSIBLE || given == asked || asked == BY_PROTOCOL);
        prop_assert!(given <= FORBIDDEN || given == IMPOSSIBLE);
        prop_assert!(given != RESET || protocol == 6);
    }
}
