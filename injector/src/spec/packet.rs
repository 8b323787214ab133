//! What was asked of packets: the rule that the `--net` grammar yields, and its printed form. Addresses
//! and ports are those of the packet itself: an incoming packet's source is the peer, an outgoing
//! packet's destination is.

use std::{fmt, ops::RangeInclusive};

use injector_common::packet;

use crate::spec::{
    address::{Addresses, Host},
    dns::Dns,
    errno::Errno,
    header::{Flags, Lengths},
    netem::Netem,
};

/// Packets that meet a fault. All parts have to hold for a packet to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetRule {
    /// Which way it goes, seen from the target.
    pub direction: Direction,
    /// What it carries.
    pub protocol: Protocol,
    /// Its source address.
    pub from: Chosen<Addresses>,
    /// Its destination address.
    pub to: Chosen<Addresses>,
    /// Its ports.
    pub ports: Ports,
    /// How long it is.
    pub length: Chosen<Lengths>,
    /// Its flags, if it is of TCP.
    pub flags: Chosen<Flags>,
    /// What happens to it.
    pub fault: NetFault,
}

impl fmt::Display for NetRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.direction.word())?;
        self.protocol.fmt(f)?;
        self.from.words("from", f)?;
        self.to.words("to", f)?;
        self.ports.fmt(f)?;
        self.length.words("length", f)?;
        self.flags.words("flags", f)?;
        write!(f, " : {}", self.fault)
    }
}

impl NetRule {
    fn lists(&self) -> impl Iterator<Item = &Addresses> {
        [&self.from, &self.to].into_iter().flat_map(|chosen| [&chosen.only, &chosen.not]).flatten()
    }

    /// The hosts that it names.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.lists().flat_map(Addresses::hosts)
    }

    /// The same, to be told what their names mean.
    pub fn hosts_mut(&mut self) -> impl Iterator<Item = &mut Host> {
        let chosen = [&mut self.from, &mut self.to].into_iter();
        chosen.flat_map(|chosen| [&mut chosen.only, &mut chosen.not]).flatten().flat_map(Addresses::hosts_mut)
    }
}

/// What one word of a rule asks for, and what it asks for behind `not`. A packet has to meet the one and must
/// not meet the other; what a packet does not have, it does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen<T> {
    /// One of these; `None` for any.
    pub only: Option<T>,
    /// None of these.
    pub not: Option<T>,
}

impl<T> Default for Chosen<T> {
    fn default() -> Self {
        Self { only: None, not: None }
    }
}

impl<T: fmt::Display> Chosen<T> {
    /// As the grammar writes it.
    fn words(&self, word: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(only) = &self.only {
            write!(f, " {word} {only}")?;
        }
        self.not.as_ref().map_or(Ok(()), |not| write!(f, " not {word} {not}"))
    }
}

/// The way of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// It leaves the target. The default, as in netem.
    #[default]
    Egress,
    /// It comes to the target.
    Ingress,
    /// Either.
    Both,
}

impl Direction {
    /// The word of the grammar.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
            Self::Both => "both",
        }
    }
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Anything over IPv4 or IPv6.
    #[default]
    Any,
    /// TCP or UDP: what a rule with ports and without a protocol means.
    TcpOrUdp,
    /// TCP.
    Tcp,
    /// UDP, with UDP-Lite.
    Udp,
    /// ICMP, with `ICMPv6`.
    Icmp,
    /// Anything but these, bits of [`packet::TCP`] and its like.
    Except(u32),
}

impl fmt::Display for Protocol {
    /// With a blank before each word; nothing where the absence of a word says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any | Self::TcpOrUdp => Ok(()),
            Self::Tcp => f.write_str(" tcp"),
            Self::Udp => f.write_str(" udp"),
            Self::Icmp => f.write_str(" icmp"),
            Self::Except(bits) => {
                let words = [(packet::TCP, "tcp"), (packet::UDP, "udp"), (packet::ICMP, "icmp")];
                words
                    .iter()
                    .filter(|(bit, _)| bits & bit != 0)
                    .try_for_each(|(_, word)| write!(f, " not {word}"))
            }
        }
    }
}

/// Ports of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// `sport`: the source port.
    pub source: Chosen<PortList>,
    /// `dport`: the destination port.
    pub destination: Chosen<PortList>,
    /// `port`: either port.
    pub either: Chosen<PortList>,
}

impl Ports {
    /// No port is asked for, so that a packet without ports may be meant.
    pub const fn is_empty(&self) -> bool {
        self.source.only.is_none() && self.destination.only.is_none() && self.either.only.is_none()
    }
}

/// Any of these ports; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortList(pub Vec<RangeInclusive<u16>>);

impl fmt::Display for PortList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.0.iter().enumerate() {
            let (low, high) = (range.start(), range.end());
            write!(f, "{}{low}", if at == 0 { "" } else { "," })?;
            if low != high {
                write!(f, "-{high}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.words("sport", f)?;
        self.destination.words("dport", f)?;
        self.either.words("port", f)
    }
}

/// What happens to a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetFault {
    /// What netem's words say.
    Netem(Box<Netem>),
    /// It is dropped: nothing passes.
    Partition,
    /// It is never made: connect(2) fails with this error.
    Connect(Errno),
    /// It is dropped, and its sender is told.
    Reject(Reject),
    /// A question for a name is dropped and answered, or not.
    Dns(Dns),
}

/// How the sender of a packet is told that it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// As its protocol has it: a reset of TCP, of all else that nobody is at that port.
    ByProtocol,
    /// A reset of TCP.
    Reset,
    /// An ICMP message.
    Unreachable(Unreachable),
}

/// What cannot be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unreachable {
    /// The port. The default, as iptables has it.
    #[default]
    Port,
    /// The host.
    Host,
    /// The network.
    Net,
    /// Any of it, since an administrator forbids it.
    Admin,
}

impl Unreachable {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Port, Self::Host, Self::Net, Self::Admin];

    /// The word of the grammar.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Port => "port",
            Self::Host => "host",
            Self::Net => "net",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByProtocol => f.write_str("reject"),
            Self::Reset => f.write_str("reject rst"),
            Self::Unreachable(what) => write!(f, "reject icmp {}", what.word()),
        }
    }
}

impl fmt::Display for NetFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netem(netem) => netem.fmt(f),
            Self::Partition => f.write_str("partition"),
            Self::Connect(error) => write!(f, "connect={error}"),
            Self::Reject(how) => how.fmt(f),
            Self::Dns(dns) => dns.fmt(f),
        }
    }
}
