//! Rules on packets, built word by word.

use std::{fmt, ops::RangeInclusive, time::Duration};

use ipnet::IpNet;

use crate::{
    clock,
    spec::{
        SpecError,
        build::read::{percent, read},
        dns::Dns,
        errno::Errno,
        model::Rule,
        netem::{Distribution, Limit},
        packet::{Direction, Reject},
        quantity::{show_rate, show_time},
    },
};

/// A rule on packets that is being built. Each function adds words; what is added twice is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct PacketRuleBuilder {
    direction: Direction,
    /// Which packets.
    chosen: Vec<String>,
    /// What happens to them.
    faults: Vec<String>,
    /// The first that is no single word.
    several: Option<String>,
}

/// Which packets.
impl PacketRuleBuilder {
    /// Those that go this way, seen from the target.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Those of TCP.
    pub fn tcp(self) -> Self {
        self.choose("tcp")
    }

    /// Those of UDP.
    pub fn udp(self) -> Self {
        self.choose("udp")
    }

    /// Those of ICMP.
    pub fn icmp(self) -> Self {
        self.choose("icmp")
    }

    /// Those that come from this network.
    pub fn from(self, network: impl Into<IpNet>) -> Self {
        self.choose(format_args!("from {}", network.into()))
    }

    /// Those that come from the host of this name.
    pub fn from_host(self, name: &str) -> Self {
        self.host("from", name)
    }

    /// Those that go to this network.
    pub fn to(self, network: impl Into<IpNet>) -> Self {
        self.choose(format_args!("to {}", network.into()))
    }

    /// Those that go to the host of this name.
    pub fn to_host(self, name: &str) -> Self {
        self.host("to", name)
    }

    /// Those with this port, as source or destination.
    pub fn port(self, port: u16) -> Self {
        self.choose(format_args!("port {port}"))
    }

    /// Those with such a source port.
    pub fn source_ports(self, ports: RangeInclusive<u16>) -> Self {
        self.choose(format_args!("sport {}-{}", ports.start(), ports.end()))
    }

    /// Those with such a destination port.
    pub fn destination_ports(self, ports: RangeInclusive<u16>) -> Self {
        self.choose(format_args!("dport {}-{}", ports.start(), ports.end()))
    }

    /// Those of such a length in bytes, with the IP header.
    pub fn length(self, bytes: RangeInclusive<u32>) -> Self {
        self.choose(format_args!("length {}-{}", bytes.start(), bytes.end()))
    }

    fn choose(mut self, words: impl fmt::Display) -> Self {
        self.chosen.push(words.to_string());
        self
    }

    fn host(mut self, word: &str, name: &str) -> Self {
        if name.contains(|c: char| c.is_whitespace() || c == ':') {
            self.several.get_or_insert_with(|| name.to_owned());
        }
        self.choose(format_args!("{word} {name}"))
    }
}

/// What happens to them.
impl PacketRuleBuilder {
    /// So many of them are lost, as a fraction of 1.
    pub fn loss(self, fraction: f64) -> Self {
        self.fault(format_args!("loss {}", percent(fraction)))
    }

    /// So many of them come twice, as a fraction of 1.
    pub fn duplicate(self, fraction: f64) -> Self {
        self.fault(format_args!("duplicate {}", percent(fraction)))
    }

    /// So many of them are damaged in one bit, as a fraction of 1.
    pub fn corrupt(self, fraction: f64) -> Self {
        self.fault(format_args!("corrupt {}", percent(fraction)))
    }

    /// They come so much later.
    pub fn delay(self, time: Duration) -> Self {
        self.fault(format_args!("delay {}", shown(time)))
    }

    /// They come so much later, more or less: by a jitter that spreads so.
    pub fn varying_delay(self, time: Duration, jitter: Duration, distribution: &Distribution) -> Self {
        let delayed = self.fault(format_args!("delay {} {}", shown(time), shown(jitter)));
        match distribution {
            Distribution::File(path) => delayed.fault(format_args!("distribution {}", path.display())),
            named => delayed.fault(format_args!("distribution {}", named.name().unwrap_or("uniform"))),
        }
    }

    /// So many bits of them pass in a second.
    pub fn rate(self, bits: u64) -> Self {
        self.fault(format_args!("rate {}", show_rate(bits)))
    }

    /// So many of them wait, and what comes then is lost.
    pub fn limit(self, limit: Limit) -> Self {
        self.fault(limit)
    }

    /// All of them are lost.
    pub fn partition(self) -> Self {
        self.fault("partition")
    }

    /// They are never made: connect(2) fails with this error.
    pub fn connect(self, errno: Errno) -> Self {
        self.fault(format_args!("connect={errno}"))
    }

    /// They are lost, and their sender is told.
    pub fn reject(self, how: Reject) -> Self {
        self.fault(how)
    }

    /// Questions for names are lost and answered, or not.
    pub fn dns(mut self, dns: &Dns) -> Self {
        let several = dns.names.iter().find(|name| name.contains(char::is_whitespace));
        self.several = self.several.or_else(|| several.cloned());
        self.fault(dns)
    }

    fn fault(mut self, words: impl fmt::Display) -> Self {
        self.faults.push(words.to_string());
        self
    }

    /// The rule.
    ///
    /// # Errors
    /// What the grammar refuses: a value out of range, words that exclude each other, a rule that says nothing of what is
    /// to happen.
    pub fn build(&self) -> Result<Rule, SpecError> {
        read(&self.to_string(), self.several.as_ref())
    }
}

impl fmt::Display for PacketRuleBuilder {
    /// The text from which it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net={}", self.direction.word())?;
        self.chosen.iter().try_for_each(|words| write!(f, " {words}"))?;
        write!(f, " : {}", self.faults.join(" "))
    }
}

fn shown(time: Duration) -> String {
    show_time(clock::nanoseconds(time))
}
