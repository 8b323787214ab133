//! Short frames from a wire: padded to 60 bytes, and still so where their damage is done. It meets the packet, never
//! what is behind it.

use std::{
    fs, io,
    net::Ipv4Addr,
    ops::Range,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};
use injector_tests::{
    cgroup::Scratch,
    model::Flow,
    network::{Space, sh},
    patience::{LONG, until},
};

use crate::{IN, SEED, attach};

const HERE: Ipv4Addr = Ipv4Addr::new(10, 60, 0, 1);
const THERE: Ipv4Addr = Ipv4Addr::new(10, 60, 0, 2);
/// The device that the frames come in by.
const MAC: [u8; 6] = [2, 0, 0, 0, 60, 2];
const IP: usize = 20;
const UDP: usize = 8;
/// Where UDP has its checksum.
const CHECKSUM: Range<usize> = IP + 6..IP + 8;
/// What a wire carries at least, without the checksum of the frame.
const LEAST: usize = 60;

/// A datagram from here with its headers, as `ip_rcv` hands it on. The checksums are right.
fn datagram(port: u16, payload: &[u8]) -> Result<Vec<u8>> {
    let length = u16::try_from(UDP + payload.len())?;
    // Both ports are ephemeral, as `Flow` has it.
    let mut udp = [50_000u16.to_be_bytes(), port.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    udp.extend(payload);
    let sum = checksum(&summed(&udp)).to_be_bytes();
    udp[6..8].copy_from_slice(&sum);
    let total = u16::try_from(IP + udp.len())?.to_be_bytes();
    let mut packet = vec![0x45, 0, total[0], total[1], 0, 1, 0x40, 0, 64, 17, 0, 0];
    packet.extend([HERE.octets(), THERE.octets()].concat());
    let sum = checksum(&packet).to_be_bytes();
    packet[10..12].copy_from_slice(&sum);
    packet.extend(udp);
    Ok(packet)
}

/// What the checksum of UDP is of: a header that is not sent goes before it.
fn summed(udp: &[u8]) -> Vec<u8> {
    let (length, protocol) = (u8::try_from(udp.len()).unwrap_or(u8::MAX), 17);
    [&HERE.octets()[..], &THERE.octets(), &[0, protocol, 0, length], udp].concat()
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| low.into()));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

fn socket(family: libc::c_int, protocol: libc::c_int) -> Result<OwnedFd> {
    // SAFETY: no pointers.
    let descriptor = unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
    ensure!(descriptor >= 0, "no raw socket: {}", io::Error::last_os_error());
    // SAFETY: opened just now.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Puts `packet` on the wire behind `device`, in a frame padded with zeroes.
fn put(device: &str, packet: &[u8]) -> Result<()> {
    let mut frame = [&MAC[..], &[2, 0, 0, 0, 60, 1], &[8, 0], packet].concat();
    ensure!(frame.len() < LEAST, "nothing to pad");
    frame.resize(LEAST, 0);
    let socket = socket(libc::AF_PACKET, 0)?;
    let index = fs::read_to_string(format!("/sys/class/net/{device}/ifindex"))?.trim().parse()?;
    // SAFETY: plain data, for which all zeroes is a value.
    let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    (to.sll_family, to.sll_ifindex) = (u16::try_from(libc::AF_PACKET)?, index);
    let size = libc::socklen_t::try_from(size_of_val(&to))?;
    // SAFETY: the frame and the address live until the call returns.
    let sent = unsafe {
        libc::sendto(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0, (&raw const to).cast(), size)
    };
    ensure!(usize::try_from(sent) == Ok(LEAST), "cannot send a frame: {}", io::Error::last_os_error());
    Ok(())
}

/// The next packet of UDP that came in, before UDP has looked at it; without what the IP layer has cut off.
fn next(socket: &OwnedFd) -> Result<Vec<u8>> {
    let mut packet = vec![0; 100];
    until("a packet", LONG, || {
        let room = packet.as_mut_ptr().cast();
        // SAFETY: so much room is there.
        let length = unsafe { libc::recv(socket.as_raw_fd(), room, packet.len(), libc::MSG_DONTWAIT) };
        let Ok(length) = usize::try_from(length) else { return Ok(false) };
        packet.truncate(length);
        Ok(true)
    })?;
    Ok(packet)
}

/// The bits that differ, counted from the start.
fn turned(before: &[u8], after: &[u8]) -> Vec<usize> {
    let bytes = before.iter().zip(after).zip(0..);
    bytes
        .flat_map(|((one, other), at)| {
            (0..8).filter(move |bit| (one ^ other) >> bit & 1 == 1).map(move |bit| at * 8 + bit)
        })
        .collect()
}

/// A target in a namespace of its own, with a wire to here.
fn wire() -> Result<(Space, Scratch)> {
    let (space, target) = (Space::new("padded")?, Scratch::new()?);
    space.join("veth-padded", "10.60.0")?;
    let mac = MAC.map(|byte| format!("{byte:02x}")).join(":");
    sh(&format!("ip -n padded link set eth0 address {mac}"))?;
    // Killed with the cgroup.
    target.spawn(space.command("sleep").arg("1000"))?;
    // Until it has entered.
    thread::sleep(Duration::from_millis(300));
    Ok((space, target))
}

#[test]
fn damage_meets_the_packet_and_not_its_padding() -> Result<()> {
    const WIRE: u16 = 60_000;
    const FIXED: u16 = 60_001;
    let (space, target) = wire()?;
    let socket = space.enter(|| socket(libc::AF_INET, libc::IPPROTO_UDP))?;
    let rules = [
        format!("ingress udp dport {WIRE} : corrupt 100%"),
        format!("ingress udp dport {FIXED} : corrupt 100% fixed"),
    ];
    let injector = attach(target.path(), &rules.each_ref().map(String::as_str))?;
    let mut numbers = [0; 2];
    for payload in [1, 4, 11, 17].map(|length| vec![0xa5; length]).iter().cycle().take(40) {
        for (rule, port, start) in [(0, WIRE, IP), (1, FIXED, IP + UDP)] {
            let number = &mut numbers[usize::from(port - WIRE)];
            *number += 1;
            let before = datagram(port, payload)?;
            put("veth-padded", &before)?;
            let after = next(&socket)?;
            assert_eq!(after.len(), before.len());
            // The checksum is made right apart from the damage.
            let mut found = turned(&before, &after);
            if port == FIXED {
                assert_eq!(checksum(&summed(&after[IP..])), 0, "packet {number}: {after:02x?}");
                found.retain(|bit| !CHECKSUM.contains(&(bit / 8)));
            }
            let bytes = u32::try_from(before.len() - start)?;
            let bit = Flow::new(SEED, rule, IN, HERE.into(), 0).bit(*number, false, bytes);
            assert_eq!(found, [start * 8 + usize::try_from(bit)?], "packet {number} to {port}: {after:02x?}");
        }
    }
    let rules = injector.interrupt()?.expect(0)?.report()?.rules;
    assert_eq!(rules.iter().map(|rule| rule.packets["corrupted"]).collect::<Vec<_>>(), [40, 40]);
    Ok(())
}
