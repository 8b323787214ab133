//! What was asked of packets: the rule that the `--net` grammar yields, and its printed form. Addresses
//! and ports are those of the packet itself: an incoming packet's source is the peer, an outgoing
//! packet's destination is.

use std::{fmt, ops::RangeInclusive};

use ipnet::IpNet;

use super::{errno::Errno, netem::Netem};

/// Packets that meet a fault. All parts have to hold for a packet to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetRule {
    /// Which way it goes, seen from the target.
    pub direction: Direction,
    /// What it carries.
    pub protocol: Protocol,
    /// Its source address; `None` for any. An IPv4 network means IPv4 packets only, also `0.0.0.0/0`.
    pub from: Option<IpNet>,
    /// Its destination address; `None` for any.
    pub to: Option<IpNet>,
    /// Its ports.
    pub ports: Ports,
    /// What happens to it.
    pub fault: NetFault,
}

impl fmt::Display for NetRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.direction.word())?;
        if let Some(word) = self.protocol.word() {
            write!(f, " {word}")?;
        }
        if let Some(net) = self.from {
            write!(f, " from {}", shown(net))?;
        }
        if let Some(net) = self.to {
            write!(f, " to {}", shown(net))?;
        }
        write!(f, "{} : {}", self.ports, self.fault)
    }
}

/// A network as the grammar writes it: one address without its prefix length.
pub(super) fn shown(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
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
}

impl Protocol {
    /// The word of the grammar; `None` where the absence of a word says it.
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Any | Self::TcpOrUdp => None,
            Self::Tcp => Some("tcp"),
            Self::Udp => Some("udp"),
            Self::Icmp => Some("icmp"),
        }
    }
}

/// Ports of a packet. A list that is empty asks for nothing; each other list has to be met by one of its
/// ranges. Together they hold at most [`injector_common::packet::MAX_PORTS`] ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// `sport`: the source port.
    pub source: Vec<RangeInclusive<u16>>,
    /// `dport`: the destination port.
    pub destination: Vec<RangeInclusive<u16>>,
    /// `port`: either port.
    pub either: Vec<RangeInclusive<u16>>,
}

impl Ports {
    /// No port is asked for.
    pub const fn is_empty(&self) -> bool {
        self.source.is_empty() && self.destination.is_empty() && self.either.is_empty()
    }

    /// The ranges of all three lists.
    pub const fn count(&self) -> usize {
        self.source.len() + self.destination.len() + self.either.len()
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [("sport", &self.source), ("dport", &self.destination), ("port", &self.either)];
        for (word, ranges) in lists {
            for (at, range) in ranges.iter().enumerate() {
                let (low, high) = (range.start(), range.end());
                match at {
                    0 => write!(f, " {word} {low}")?,
                    _ => write!(f, ",{low}")?,
                }
                if low != high {
                    write!(f, "-{high}")?;
                }
            }
        }
        Ok(())
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
        }
    }
}
