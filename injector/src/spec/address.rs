//! Lists of addresses, networks and host names, of both families: `10.0.0.7,10.1.0.0/16,fd00::/8,db.example`.

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, SocketAddr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::spec::{
    error::Located,
    problem::{AddressPlace, AddressProblem},
    vocabulary::{MATCH_WORDS, is_fault},
    word::Word,
};

/// Where packets come from or go to: any of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(pub Vec<Address>);

/// One of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A network, a single address as one of its own. One of IPv4 means IPv4 packets only, also `0.0.0.0/0`.
    Network(IpNet),
    /// A name.
    Host(Host),
}

/// A host by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// As it was written.
    pub name: String,
    /// All that the name means; none before [`crate::resolver`] has asked.
    pub addresses: BTreeSet<IpAddr>,
}

impl Addresses {
    /// The networks, a single address as one of its own; those of hosts as far as they are known.
    pub fn networks(&self) -> impl Iterator<Item = IpNet> + '_ {
        let networks = self.0.iter().filter_map(|address| match address {
            Address::Network(net) => Some(*net),
            Address::Host(_) => None,
        });
        networks.chain(self.hosts().flat_map(|host| &host.addresses).copied().map(IpNet::from))
    }

    /// The hosts.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.0.iter().filter_map(|address| match address {
            Address::Network(_) => None,
            Address::Host(host) => Some(host),
        })
    }

    /// The hosts, to be told what their names mean.
    pub fn hosts_mut(&mut self) -> impl Iterator<Item = &mut Host> {
        self.0.iter_mut().filter_map(|address| match address {
            Address::Network(_) => None,
            Address::Host(host) => Some(host),
        })
    }

    /// Does every address of `other`, or any address at all, stand in this list?
    pub(super) fn cover(&self, other: Option<&Self>) -> bool {
        let all = || [Ipv4Net::default().into(), Ipv6Net::default().into()];
        let wanted = other.map_or_else(|| all().to_vec(), |other| other.networks().collect());
        let own = IpNet::aggregate(&self.networks().collect());
        let mut hosts = other.into_iter().flat_map(Self::hosts);
        hosts.all(|host| self.hosts().any(|own| own.name == host.name))
            && wanted.iter().all(|wanted| own.iter().any(|own| own.contains(wanted)))
    }

    /// Can a packet of the family of any of these have an address of `other`? A name may mean either family.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let has = |list: &Self, ipv4| {
            list.hosts().next().is_some() || list.networks().any(|net| net.addr().is_ipv4() == ipv4)
        };
        [true, false].into_iter().any(|ipv4| has(self, ipv4) && has(other, ipv4))
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |address: &Address| match address {
            Address::Network(net) => shown(*net),
            Address::Host(host) => host.name.clone(),
        };
        f.write_str(&self.0.iter().map(word).collect::<Vec<_>>().join(","))
    }
}

/// A network as the grammar writes it: one address without its prefix length.
pub(super) fn shown(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// Reads a list, which has no spaces in it.
pub(super) fn list(list: Word<'_>) -> Result<Addresses, Located> {
    list.whole_pieces("10.0.0.7,fd00::/8")?.map(address).collect::<Result<_, _>>().map(Addresses)
}

fn address(word: Word<'_>) -> Result<Address, Located> {
    if !might_be_a_name(word.text) {
        return network(word).map(Address::Network);
    }
    if MATCH_WORDS.contains(&word.text) || is_fault(word.text) {
        return Err(word.problem(AddressProblem::NoAddress(word.text.into())));
    }
    // RFC 1123, 2.1; the dot at the end of a name says that it is whole (RFC 1034, 3.1).
    let name = word.text.strip_suffix('.').unwrap_or(word.text);
    let label =
        |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    if name.len() > 253 || !name.split('.').all(label) {
        return Err(word.problem(AddressProblem::HostName(word.text.into())));
    }
    Ok(Address::Host(Host { name: word.text.into(), addresses: BTreeSet::new() }))
}

/// Made of what names are made of, and not an address of IPv4 or an attempt at one: those end with a number
/// (WHATWG URL, 3.5, "ends in a number").
fn might_be_a_name(text: &str) -> bool {
    let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !number
}

/// `10.0.0.7:80`, `[::1]:80` or `db.example:80`, taken apart.
fn with_port(word: Word<'_>) -> Option<(String, u16)> {
    if let Ok(address) = word.text.parse::<SocketAddr>() {
        return Some((address.ip().to_string(), address.port()));
    }
    let (host, port) = word.rsplit_once(":")?;
    let known = MATCH_WORDS.contains(&host.text) || is_fault(host.text);
    (might_be_a_name(host.text) && !known).then_some((host.text.to_owned(), port.decimal()?))
}

/// An address or a network, IPv4 or IPv6.
pub(super) fn network(word: Word<'_>) -> Result<IpNet, Located> {
    if let Ok(address) = word.text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    let net = word.text.parse::<IpNet>().map_err(|_| {
        word.problem(match with_port(word) {
            Some((address, port)) => AddressProblem::AddressWithPort {
                word: word.text.into(),
                address,
                port,
                place: AddressPlace::Other,
            },
            None => AddressProblem::Address(word.text.into()),
        })
    })?;
    if net.addr() != net.network() {
        let (whole, single) = (net.trunc().to_string(), net.addr().to_string());
        return Err(word.problem(AddressProblem::HostBits { network: word.text.into(), whole, single }));
    }
    Ok(net)
}
