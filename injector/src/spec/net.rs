//! Rules on packets: `MATCH : NETEM`, the second half in the words of tc-netem(8).
//!
//! MATCH, in any order: `egress` (the default), `ingress` or `both`; `tcp`, `udp` or `icmp`; `from LIST`
//! and `to LIST`, the packet's source and destination address; `sport LIST`, `dport LIST`, and `port LIST`
//! for either end; `length RANGE` and `flags LIST`; `not` in front of any of them. NETEM: see
//! [`super::netem`]. Without a MATCH its `:` may be left out.

mod fit;

use injector_common::packet::{ICMP, TCP, UDP};

use crate::spec::{
    address::{self, Addresses, network},
    error::{Located, SpecError},
    familiar,
    header::{Flags, Lengths},
    model::{Rule, RuleKind},
    nearest::{Near, nearest},
    netem,
    packet::{Chosen, Direction, NetFault, NetRule, PortList, Ports, Protocol},
    ports,
    problem::{AddressPlace, AddressProblem, PacketProblem, Problem, WordProblem},
    qualifier::unqualified,
    vocabulary::{MATCH_WORDS, is_fault},
    word::Word,
};

/// Reads `MATCH : NETEM`, what follows `--net`.
///
/// # Errors
/// [`SpecError`] with the mistake, its place in the text and a hint.
pub fn net(text: &str) -> Result<Rule, SpecError> {
    let rule = unqualified(text).and_then(rule).map_err(|located| SpecError::new("rule", text, located))?;
    Ok(Rule { text: text.to_owned(), kind: RuleKind::Net(rule) })
}

pub(super) fn rule(text: Word<'_>) -> Result<NetRule, Located> {
    let (packets, netem) = halves(text);
    let packets = Match::read(packets)?;
    let Some(netem) = netem.filter(|netem| !netem.text.trim().is_empty()) else {
        return Err(text.problem(PacketProblem::NoNetFault));
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
        let part_of_it = |word| match address::list(word) {
            Ok(_) => true,
            Err(located) => {
                matches!(located.problem, Problem::Address(AddressProblem::AddressWithPort { .. }))
            }
        };
        if !around.is_some_and(part_of_it) {
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
    /// Protocols behind `not`, with their bits.
    barred: Vec<(Word<'a>, u32)>,
    from: Part<'a, Addresses>,
    to: Part<'a, Addresses>,
    source: Part<'a, PortList>,
    destination: Part<'a, PortList>,
    either: Part<'a, PortList>,
    length: Part<'a, Lengths>,
    flags: Part<'a, Flags>,
}

impl<'a> Match<'a> {
    fn read(text: Word<'a>) -> Result<Self, Located> {
        let mut this = Self::default();
        let mut words = text.words();
        while let Some(word) = words.next() {
            if word.text != "not" {
                this.take(Said { word, name: word, not: false }, &mut words)?;
                continue;
            }
            let name = words.next().filter(|name| name.text != "not");
            let name = name.ok_or_else(|| word.problem(PacketProblem::NotNothing))?;
            this.take(Said { word: text.between(word, name), name, not: true }, &mut words)?;
        }
        Ok(this)
    }

    /// Notes one word, with its value from `words` if it has one.
    fn take(&mut self, said: Said<'a>, words: &mut impl Iterator<Item = Word<'a>>) -> Result<(), Located> {
        let mut value = |example| value(said.name, words.next(), example);
        let ports = "port 80,443,8000-8080";
        match said.name.text {
            "egress" => self.take_direction(said, Direction::Egress, Direction::Ingress),
            "ingress" => self.take_direction(said, Direction::Ingress, Direction::Egress),
            "both" if said.not => Err(said.word.problem(PacketProblem::NothingLeft(said.word.text.into()))),
            "both" => self.take_direction(said, Direction::Both, Direction::Both),
            "tcp" => self.take_protocol(said, Protocol::Tcp, TCP),
            "udp" => self.take_protocol(said, Protocol::Udp, UDP),
            "icmp" => self.take_protocol(said, Protocol::Icmp, ICMP),
            "from" => self.from.take(said, addresses(value("from 10.0.0.0/8")?, AddressPlace::From)?),
            "to" => self.to.take(said, addresses(value("to 10.0.0.7")?, AddressPlace::To)?),
            "port" => self.either.take(said, ports::parse(value(ports)?).map(PortList)?),
            "sport" => self.source.take(said, ports::parse(value(ports)?).map(PortList)?),
            "dport" => self.destination.take(said, ports::parse(value(ports)?).map(PortList)?),
            "length" => self.length.take(said, Lengths::parse(value("length 1000-")?)?),
            "flags" => self.flags.take(said, Flags::parse(value("flags syn")?)?),
            fault if is_fault(fault) && said.not => Err(said.word.problem(PacketProblem::NotNothing)),
            fault if is_fault(fault) => Err(said.name.problem(PacketProblem::NoColon(fault.into()))),
            other => {
                let near = match network(said.name) {
                    Ok(_) => Some(format!("to {other}").into()),
                    Err(_) if other.starts_with('!') && other.len() > 1 => {
                        Some(Near::Otherwise(format!("write `not {}`", &other[1..]).into()))
                    }
                    Err(_) if other == ":" => Some(Near::Otherwise(
                        "write one `:`, behind the last word that describes packets, and blanks between the words \
                         after it"
                            .into(),
                    )),
                    Err(_) if other.starts_with('/') => Some(Near::Otherwise(
                        "write the flags without blanks, as in `flags syn/syn,ack`".into(),
                    )),
                    Err(_) => {
                        familiar::packets(other).or_else(|| nearest(other, MATCH_WORDS).map(Near::from))
                    }
                };
                Err(said.name.problem(PacketProblem::UnknownMatch { word: other.into(), near }))
            }
        }
    }

    fn take_direction(&mut self, said: Said<'a>, it: Direction, other: Direction) -> Result<(), Located> {
        one(&mut self.direction, said.word, if said.not { other } else { it }, DIRECTIONS)
    }

    fn take_protocol(&mut self, said: Said<'a>, protocol: Protocol, bit: u32) -> Result<(), Located> {
        let word = said.word;
        if said.not && self.barred.iter().any(|(_, barred)| *barred == bit) {
            return Err(word.problem(WordProblem::Twice(word.text.into())));
        }
        let other = if said.not { self.protocol.map(|(first, _)| first) } else { None };
        let other = other.or_else(|| self.barred.first().filter(|_| !said.not).map(|(first, _)| *first));
        match other {
            Some(first) => Err(contradiction(first.text, word, word.text, PROTOCOLS)),
            None if said.not => {
                self.barred.push((word, bit));
                Ok(())
            }
            None => one(&mut self.protocol, word, protocol, PROTOCOLS),
        }
    }

    /// Checks that the parts go together.
    fn finish(self, fault: NetFault) -> Result<NetRule, Located> {
        self.fits(&fault)?;
        let direction = self.direction.map_or_else(Direction::default, |(_, direction)| direction);
        let protocol = self.protocol()?;
        let (from, to) = (self.from.addresses()?, self.to.addresses()?);
        if let (Some((_, from)), Some((word, to))) = (&self.from.only, &self.to.only)
            && !from.meets(to)
        {
            let remedy = "no packet has addresses of both families: write one rule for each";
            return Err(contradiction(&format!("from {from}"), *word, &format!("to {to}"), remedy));
        }
        // With `both`, an address would be the peer's one way and the target's own the other way, so that
        // half of what was meant would never match.
        let addressed = [&self.to.only, &self.to.not, &self.from.only, &self.from.not].into_iter().flatten();
        if let (Direction::Both, Some((word, list))) =
            (direction, addressed.min_by_key(|(word, _)| word.span().start))
        {
            let not = if word.text.starts_with("not") { "not " } else { "" };
            let second = format!("{} {list}", word.text);
            let remedy = format!("write two rules, `egress {not}to {list}` and `ingress {not}from {list}`");
            return Err(contradiction("both", *word, &second, &remedy));
        }
        let length = self.length.lengths()?;
        let ports = Ports {
            source: self.source.chosen(),
            destination: self.destination.chosen(),
            either: self.either.chosen(),
        };
        Ok(NetRule { direction, protocol, from, to, ports, length, flags: self.flags.chosen(), fault })
    }

    /// What the packets carry. Ports mean TCP and UDP, flags TCP; behind `not` they mean nothing of that sort.
    fn protocol(&self) -> Result<Protocol, Located> {
        let ports = [&self.source, &self.destination, &self.either];
        let first = |words: &mut dyn Iterator<Item = Word<'a>>| words.min_by_key(|word| word.span().start);
        let port = first(&mut ports.iter().filter_map(|part| Some(part.only.as_ref()?.0)));
        let any_port = first(&mut ports.iter().flat_map(|part| part.words()));
        let flags = self.flags.only.as_ref().map(|(word, _)| *word);
        let any_flags = first(&mut self.flags.words());
        let protocol = self.protocol.map_or_else(Protocol::default, |(_, protocol)| protocol);
        match (protocol, any_port, any_flags) {
            (Protocol::Icmp, Some(port), _) => {
                return Err(contradiction("icmp", port, port.text, "ICMP has no ports: leave them out"));
            }
            (Protocol::Icmp | Protocol::Udp, _, Some(flags)) => {
                let (first, remedy) = (protocol.to_string(), "only TCP has flags: leave them out");
                return Err(contradiction(first.trim_start(), flags, flags.text, remedy));
            }
            _ => {}
        }
        if let (Some(&(barred, _)), Some(word)) = (self.barred.first(), port.or(flags)) {
            return Err(contradiction(barred.text, word, word.text, ONE_WORD));
        }
        Ok(match protocol {
            Protocol::Any if flags.is_some() => Protocol::Tcp,
            Protocol::Any if port.is_some() => Protocol::TcpOrUdp,
            Protocol::Any if !self.barred.is_empty() => {
                Protocol::Except(self.barred.iter().fold(0, |all, (_, bit)| all | bit))
            }
            other => other,
        })
    }
}

/// The addresses behind `to` or `from`.
fn addresses(list: Word<'_>, place: AddressPlace) -> Result<Addresses, Located> {
    address::list(list).map_err(|located| located.at(place))
}

/// A word of a MATCH, with the `not` in front of it if there is one.
#[derive(Clone, Copy)]
struct Said<'a> {
    /// Both, to point at.
    word: Word<'a>,
    /// The word alone.
    name: Word<'a>,
    not: bool,
}

/// What one word asks for, without `not` and with it, each with the word that it came from.
struct Part<'a, T> {
    only: Option<(Word<'a>, T)>,
    not: Option<(Word<'a>, T)>,
}

impl<T> Default for Part<'_, T> {
    fn default() -> Self {
        Self { only: None, not: None }
    }
}

impl<'a, T: Clone> Part<'a, T> {
    fn take(&mut self, said: Said<'a>, value: T) -> Result<(), Located> {
        one(if said.not { &mut self.not } else { &mut self.only }, said.word, value, "")
    }

    fn words(&self) -> impl Iterator<Item = Word<'a>> {
        [&self.only, &self.not].into_iter().flatten().map(|(word, _)| *word)
    }

    fn chosen(&self) -> Chosen<T> {
        let value = |part: &Option<(Word<'_>, T)>| part.as_ref().map(|(_, value)| value.clone());
        Chosen { only: value(&self.only), not: value(&self.not) }
    }

    /// The same, if `covers` says that something is left of the one without the other.
    fn left(&self, covers: impl Fn(&T, Option<&T>) -> bool) -> Result<Chosen<T>, Located> {
        if let Some((word, not)) = &self.not
            && covers(not, self.only.as_ref().map(|(_, only)| only))
        {
            return Err(word.problem(PacketProblem::NothingLeft(word.text.into())));
        }
        Ok(self.chosen())
    }
}

impl Part<'_, Addresses> {
    fn addresses(&self) -> Result<Chosen<Addresses>, Located> {
        self.left(Addresses::cover)
    }
}

impl Part<'_, Lengths> {
    fn lengths(&self) -> Result<Chosen<Lengths>, Located> {
        self.left(|not, only| not.cover(only.copied().unwrap_or(Lengths::ALL)))
    }
}

const ONE_WORD: &str = "`not` belongs to the one word behind it, and ports and flags mean TCP and UDP by themselves: \
                        write `not port 22`, or name the protocol that is meant";
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
        Some((first, _)) if first.text == word.text => {
            Err(word.problem(WordProblem::Twice(word.text.into())))
        }
        Some((first, _)) => Err(contradiction(first.text, word, word.text, remedy)),
    }
}

/// `word`, which says `second`, does not go with `first`.
fn contradiction(first: &str, word: Word<'_>, second: &str, remedy: &str) -> Located {
    let (first, second, remedy) = (first.to_owned(), second.to_owned(), remedy.to_owned());
    word.problem(WordProblem::Contradiction { first, second, remedy })
}

/// The word after `name`, which has to be there.
pub(super) fn value<'a>(
    name: Word<'_>,
    value: Option<Word<'a>>,
    example: &'static str,
) -> Result<Word<'a>, Located> {
    value.ok_or_else(|| name.problem(WordProblem::NoValue { word: name.text.into(), example }))
}
