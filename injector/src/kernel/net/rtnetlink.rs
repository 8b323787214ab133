//! The kernel's routing socket: requests that are acknowledged, and lists.
//!
//! Of what comes back only the header and the few attributes that somebody asks for are read: an
//! attribute that a later kernel adds cannot get in the way.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use netlink_packet_core::{
    DefaultNla, Emitable, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
    NetlinkBuffer, NetlinkHeader, NlasIterator, Parseable,
};
use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
    },
};

/// Size of a message header; messages and attributes are aligned to 4 bytes.
const HEADER: usize = 16;
const ALIGNMENT: usize = 4;

/// Room for one datagram. The kernel makes those of a list no larger than the last buffer that it was
/// given, and at most 32 KiB (`netlink_dump`, net/netlink/af_netlink.c).
const BUFFER: usize = 64 * 1024;

/// How often a list is asked for again that changed while it was made.
const ATTEMPTS: usize = 8;

/// A socket in the network namespace of the thread that opened it, from whichever thread it is used.
#[derive(Debug)]
pub(crate) struct Rtnetlink {
    socket: OwnedFd,
    sequence: u32,
}

/// One message from the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// `RTM_…`
    pub(crate) kind: u16,
    payload: Vec<u8>,
}

impl Rtnetlink {
    /// Opens a socket.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self { socket: open(SockFlag::SOCK_CLOEXEC, 0)?, sequence: 0 })
    }

    /// Asks for a change and waits for the kernel's verdict.
    pub(crate) fn change(
        &mut self,
        kind: u16,
        flags: u16,
        fixed: &[u8],
        attributes: &[DefaultNla],
    ) -> io::Result<()> {
        self.send(kind, NLM_F_REQUEST | NLM_F_ACK | flags, fixed, attributes)?;
        self.answers().map(drop)
    }

    /// Asks for a list.
    pub(crate) fn list(
        &mut self,
        kind: u16,
        fixed: &[u8],
        attributes: &[DefaultNla],
    ) -> io::Result<Vec<Message>> {
        for _ in 0..ATTEMPTS {
            self.send(kind, NLM_F_REQUEST | NLM_F_DUMP, fixed, attributes)?;
            if let Some(messages) = self.answers()? {
                return Ok(messages);
            }
        }
        Err(Errno::EAGAIN.into())
    }

    fn send(&mut self, kind: u16, flags: u16, fixed: &[u8], attributes: &[DefaultNla]) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = encode(kind, flags, self.sequence, fixed, attributes);
        send(self.socket.as_raw_fd(), &request, MsgFlags::empty())?;
        Ok(())
    }

    /// What answers the last request; `None` for a list that changed while it was made.
    fn answers(&mut self) -> io::Result<Option<Vec<Message>>> {
        let mut found = Vec::new();
        let mut consistent = true;
        loop {
            let datagram = receive(&self.socket, MsgFlags::empty())?;
            for (header, payload) in messages(&datagram) {
                if header.sequence_number != self.sequence {
                    // The rest of an answer to a request that failed half-way.
                    continue;
                }
                consistent &= header.flags & NLM_F_DUMP_INTR == 0;
                match header.message_type {
                    NLMSG_ERROR => verdict(payload)?,
                    NLMSG_DONE => {}
                    kind => {
                        found.push(Message { kind, payload: payload.to_vec() });
                        continue;
                    }
                }
                return Ok(consistent.then_some(found));
            }
        }
    }
}

impl Message {
    /// A 32-bit field of the fixed part, by its offset; 0 where the message is too short.
    pub(crate) fn field(&self, offset: usize) -> u32 {
        let bytes = self.payload.get(offset..offset + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_ne_bytes(bytes.unwrap_or_default())
    }

    /// The address family: the first byte of the fixed part of every message.
    pub(crate) fn family(&self) -> u8 {
        self.payload.first().copied().unwrap_or_default()
    }

    /// The value of an attribute that follows `fixed` bytes.
    pub(crate) fn attribute(&self, fixed: usize, kind: u16) -> Option<&[u8]> {
        attribute(self.payload.get(fixed..)?, kind)
    }
}

/// A socket that hears of changes to a group (`RTMGRP_…`), for whoever can wait; opened in the network
/// namespace of this thread.
pub(crate) fn subscribe(group: u32) -> io::Result<OwnedFd> {
    open(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, group)
}

/// The messages of the next datagram, if one is there. ENOBUFS tells that some were lost.
pub(crate) fn heard(socket: &OwnedFd) -> io::Result<Option<Vec<Message>>> {
    match receive(socket, MsgFlags::MSG_DONTWAIT) {
        Ok(datagram) => Ok(Some(
            messages(&datagram)
                .map(|(header, payload)| Message { kind: header.message_type, payload: payload.to_vec() })
                .collect(),
        )),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// The value of an attribute in a sequence of them, or in one that nests others.
pub(crate) fn attribute(attributes: &[u8], kind: u16) -> Option<&[u8]> {
    NlasIterator::new(attributes).map_while(Result::ok).find(|one| one.kind() == kind).map(|one| {
        let start = one.value().as_ptr() as usize - attributes.as_ptr() as usize;
        &attributes[start..start + one.value_length()]
    })
}

/// The text of an attribute, without the zero that ends it.
pub(crate) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

/// A text as the value of an attribute.
pub(crate) fn zero_ended(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// Attributes one after another, as the value of one that nests them.
pub(crate) fn nest(attributes: &[DefaultNla]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for attribute in attributes {
        let start = bytes.len();
        bytes.resize(start + attribute.buffer_len(), 0);
        attribute.emit(&mut bytes[start..]);
    }
    bytes
}

fn open(flags: SockFlag, groups: u32) -> io::Result<OwnedFd> {
    let opened = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
    bind(opened.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(opened)
}

fn encode(kind: u16, flags: u16, sequence: u32, fixed: &[u8], attributes: &[DefaultNla]) -> Vec<u8> {
    let attributes = nest(attributes);
    let length = HEADER + fixed.len() + attributes.len();
    let mut bytes = vec![0; HEADER];
    let mut header = NetlinkBuffer::new(&mut bytes);
    header.set_length(u32::try_from(length).unwrap_or(u32::MAX));
    header.set_message_type(kind);
    header.set_flags(flags);
    header.set_sequence_number(sequence);
    bytes.extend_from_slice(fixed);
    bytes.extend_from_slice(&attributes);
    bytes
}

fn receive(socket: &OwnedFd, flags: MsgFlags) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match recv(socket.as_raw_fd(), &mut buffer, flags | MsgFlags::MSG_TRUNC) {
            Ok(length) if length > BUFFER => return Err(Errno::EMSGSIZE.into()),
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The messages of a datagram; it ends at the first that is not whole.
fn messages(datagram: &[u8]) -> impl Iterator<Item = (NetlinkHeader, &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let message = NetlinkBuffer::new_checked(rest).ok()?;
        let header = NetlinkHeader::parse(&message).ok()?;
        let length = message.length() as usize;
        let payload = rest.get(HEADER..length)?;
        rest = rest.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        Some((header, payload))
    })
}

/// An error message starts with 0, or a negative errno.
fn verdict(payload: &[u8]) -> io::Result<()> {
    let code =
        payload.get(..4).and_then(|bytes| bytes.try_into().ok()).map_or(-libc::EPROTO, i32::from_ne_bytes);
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_understood() {
        let inner = nest(&[DefaultNla::new(6, vec![1, 2, 3, 4]), DefaultNla::new(7, b"name\0".to_vec())]);
        let outer = [DefaultNla::new(1, b"bpf\0".to_vec()), DefaultNla::new(2, inner)];
        let fixed = [9, 0, 0, 0, 5, 0, 0, 0];
        let mut datagram = encode(44, 5, 17, &fixed, &outer);
        datagram.extend(encode(45, 0, 18, &fixed, &[]));
        datagram.extend([40, 0, 0, 0, 1]);
        let found: Vec<_> = messages(&datagram).collect();
        assert_eq!(found.len(), 2, "the third is not whole");
        assert_eq!((found[0].0.message_type, found[0].0.flags, found[0].0.sequence_number), (44, 5, 17));
        let message = Message { kind: 44, payload: found[0].1.to_vec() };
        assert_eq!(
            (message.family(), message.field(4), message.field(100)),
            (9, u32::from_ne_bytes([5, 0, 0, 0]), 0)
        );
        assert_eq!(message.attribute(8, 1).map(text), Some("bpf".into()));
        let options = message.attribute(8, 2).unwrap();
        assert_eq!(attribute(options, 7).map(text), Some("name".into()));
        assert_eq!(attribute(options, 6), Some(&[1, 2, 3, 4][..]));
        assert_eq!(attribute(options, 8), None);
        assert_eq!(message.attribute(100, 1), None);
    }

    #[test]
    fn verdicts() {
        assert!(verdict(&0i32.to_ne_bytes()).is_ok());
        assert_eq!(verdict(&(-17i32).to_ne_bytes()).unwrap_err().raw_os_error(), Some(17));
        assert_eq!(verdict(&[]).unwrap_err().raw_os_error(), Some(libc::EPROTO));
    }

    #[test]
    fn the_kernel_refuses_what_does_not_exist() {
        let mut socket = Rtnetlink::open().unwrap();
        let nowhere = [0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0];
        let refused = socket.change(libc::RTM_GETLINK, 0, &nowhere, &[]).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::ENODEV));
    }
}
