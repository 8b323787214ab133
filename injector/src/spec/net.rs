//! Rules on packets: `MATCH : NETEM`, the second half in the words of tc-netem(8).
//!
//! MATCH, in any order: `egress` (the default), `ingress` or `both`; `tcp`, `udp` or `icmp`; `from NET`
//! and `to NET`, the packet's source and destination address; `sport LIST`, `dport LIST`, and `port LIST`
//! for either end. NETEM: see [`super::netem`]. Without a MATCH its `:` may be left out.

mod fit;

use std::net::IpAddr;

use injector_common::packet::MAX_PORTS;
use ipnet::IpNet;

use super::{
    error::{Located, Problem, SpecError},
    model::{Rule, RuleKind},
    nearest::nearest,
    netem::{self, is_fault},
    packet::{Direction, NetFault, NetRule, Ports, Protocol, shown},
    ports,
    word::Word,
};

/// The words that describe packets.
pub(super) const MATCH_WORDS: [&str; 11] =
    ["egress", "ingress", "both", "tcp", "udp", "icmp", "from", "to", "port", "sport", "dport"];

/// Reads `MATCH : NETEM`, what follows `--net`.
pub fn net(text: &str) -> Result<Rule, SpecError> {
    let rule = rule(Word::whole(text)).map_err(|located| SpecError::new("rule", text, located))?;
    Ok(Rule { text: text.to_owned(), kind: RuleKind::Net(rule) })
}

fn rule(text: Word<'_>) -> Result<NetRule, Located> {
    let (packets, netem) = halves(text);
    let packets = Match::read(packets)?;
    let Some(netem) = netem.filter(|netem| !netem.text.trim().is_empty()) else {
        return Err(text.problem(Problem::NoNetFault));
    };
    let fault = netem::fault(netem)?;
    packets.finish(fault)
}

/// The two halves. NETEM has no `:` in it, addresses have, so the last one separates, unless it is part
/// of an address.
fn halves(text: Word<'_>) -> (Word<'_>, Option<Word<'_>>) {
    if let Some((packets, netem)) = text.rsplit_once(":") {
        let at = packets.span().end;
        let around = text.words().find(|word| word.span().contains(&at));
        if around.is_none_or(|word| network(word).is_err()) {
            return (packets, Some(netem));
        }
    }
    // Without a `:` the text is one of the two: a MATCH if it begins like one or goes on to a fault.
    let mut words = text.words().map(|word| word.text);
    let netem = match words.next() {
        None => false,
        Some(first) => is_fault(first) || !MATCH_WORDS.contains(&first) && !words.any(is_fault),
    };
    if netem { (text.until_start(), Some(text)) } else { (text, None) }
}

/// MATCH as far as it was read: each part with the word that it came from.
#[derive(Default)]
struct Match<'a> {
    direction: Option<(Word<'a>, Direction)>,
    protocol: Option<(Word<'a>, Protocol)>,
    from: Option<(Word<'a>, IpNet)>,
    to: Option<(Word<'a>, IpNet)>,
    ports: Ports,
    first_port: Option<Word<'a>>,
    source_port: Option<Word<'a>>,
}

impl<'a> Match<'a> {
    fn read(text: Word<'a>) -> Result<Self, Located> {
        let mut this = Self::default();
        let mut words = text.words();
        while let Some(word) = words.next() {
            this.take(word, &mut words)?;
        }
        Ok(this)
    }

    /// Notes one word, with its value from `words` if it has one.
    fn take(&mut self, word: Word<'a>, words: &mut impl Iterator<Item = Word<'a>>) -> Result<(), Located> {
        match word.text {
            "egress" => one(&mut self.direction, word, Direction::Egress, DIRECTIONS),
            "ingress" => one(&mut self.direction, word, Direction::Ingress, DIRECTIONS),
            "both" => one(&mut self.direction, word, Direction::Both, DIRECTIONS),
            "tcp" => one(&mut self.protocol, word, Protocol::Tcp, PROTOCOLS),
            "udp" => one(&mut self.protocol, word, Protocol::Udp, PROTOCOLS),
            "icmp" => one(&mut self.protocol, word, Protocol::Icmp, PROTOCOLS),
            "from" => {
                let net = network(value(word, words.next(), "from 10.0.0.0/8")?)?;
                one(&mut self.from, word, net, "")
            }
            "to" => {
                let net = network(value(word, words.next(), "to 10.0.0.7")?)?;
                one(&mut self.to, word, net, "")
            }
            "port" | "sport" | "dport" => {
                let list = value(word, words.next(), "port 80,443,8000-8080")?;
                self.take_ports(word, list)
            }
            fault if is_fault(fault) => Err(word.problem(Problem::NoColon(fault.into()))),
            other => {
                let near = match network(word) {
                    Ok(_) => Some(format!("to {other}")),
                    Err(_) => nearest(other, MATCH_WORDS),
                };
                Err(word.problem(Problem::UnknownMatch { word: other.into(), near }))
            }
        }
    }

    fn take_ports(&mut self, word: Word<'a>, list: Word<'a>) -> Result<(), Located> {
        let ranges = match word.text {
            "port" => &mut self.ports.either,
            "sport" => &mut self.ports.source,
            _ => &mut self.ports.destination,
        };
        if !ranges.is_empty() {
            return Err(word.problem(Problem::Twice(word.text.into())));
        }
        *ranges = ports::parse(list)?;
        self.first_port.get_or_insert(word);
        if word.text == "sport" {
            self.source_port = Some(word);
        }
        match self.ports.count() {
            0..=MAX_PORTS => Ok(()),
            count => Err(list.problem(Problem::TooManyPorts { count, limit: MAX_PORTS })),
        }
    }

    /// Checks that the parts go together.
    fn finish(self, fault: NetFault) -> Result<NetRule, Located> {
        self.fits(&fault)?;
        let direction = self.direction.map_or_else(Direction::default, |(_, direction)| direction);
        let mut protocol = self.protocol.map_or_else(Protocol::default, |(_, protocol)| protocol);
        if let Some(port) = self.first_port {
            match protocol {
                Protocol::Icmp => {
                    return Err(contradiction("icmp", port, port.text, "ICMP has no ports: leave them out"));
                }
                Protocol::Any => protocol = Protocol::TcpOrUdp,
                Protocol::TcpOrUdp | Protocol::Tcp | Protocol::Udp => {}
            }
        }
        if let (Some((_, from)), Some((word, to))) = (self.from, self.to)
            && from.addr().is_ipv4() != to.addr().is_ipv4()
        {
            let remedy = "no packet has addresses of both families: write one rule for each";
            let (first, second) = (format!("from {}", shown(from)), format!("to {}", shown(to)));
            return Err(contradiction(&first, word, &second, remedy));
        }
        // With `both`, an address would be the peer's one way and the target's own the other way, so that
        // half of what was meant would never match.
        if let (Direction::Both, Some((word, net))) = (direction, self.to.or(self.from)) {
            let (second, net) = (format!("{} {}", word.text, shown(net)), shown(net));
            let remedy = format!("write two rules, `egress to {net}` and `ingress from {net}`");
            return Err(contradiction("both", word, &second, &remedy));
        }
        let (from, to) = (self.from.map(|(_, net)| net), self.to.map(|(_, net)| net));
        Ok(NetRule { direction, protocol, from, to, ports: self.ports, fault })
    }
}

const DIRECTIONS: &str = "write `both`, and nothing else, for both ways";
const PROTOCOLS: &str = "a packet has one protocol: write one rule for each, or none of them for all";

/// Notes one of several words that exclude each other.
fn one<'a, T>(
    slot: &mut Option<(Word<'a>, T)>,
    word: Word<'a>,
    value: T,
    remedy: &str,
) -> Result<(), Located> {
    match slot.replace((word, value)) {
        None => Ok(()),
        Some((first, _)) if first.text == word.text => Err(word.problem(Problem::Twice(word.text.into()))),
        Some((first, _)) => Err(contradiction(first.text, word, word.text, remedy)),
    }
}

/// `word`, which says `second`, does not go with `first`.
fn contradiction(first: &str, word: Word<'_>, second: &str, remedy: &str) -> Located {
    let (first, second, remedy) = (first.to_owned(), second.to_owned(), remedy.to_owned());
    word.problem(Problem::Contradiction { first, second, remedy })
}

/// The word after `name`, which has to be there.
pub(super) fn value<'a>(
    name: Word<'_>,
    value: Option<Word<'a>>,
    example: &'static str,
) -> Result<Word<'a>, Located> {
    value.ok_or_else(|| name.problem(Problem::NoValue { word: name.text.into(), example }))
}

/// An address or a network, IPv4 or IPv6.
pub(super) fn network(word: Word<'_>) -> Result<IpNet, Located> {
    if let Ok(address) = word.text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    let net = word.text.parse::<IpNet>().map_err(|_| word.problem(Problem::Address(word.text.into())))?;
    if net.addr() != net.network() {
        let (whole, single) = (net.trunc().to_string(), net.addr().to_string());
        return Err(word.problem(Problem::HostBits { network: word.text.into(), whole, single }));
    }
    Ok(net)
}
