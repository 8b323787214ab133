//! Lists of addresses and networks, of both families: `10.0.0.7,10.1.0.0/16,fd00::/8`.

use std::{fmt, net::IpAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{
    error::{Located, Problem},
    word::Word,
};

/// Where packets come from or go to: any of these. An IPv4 network means IPv4 packets only, also `0.0.0.0/0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(pub Vec<IpNet>);

impl Addresses {
    /// The networks, a single address as one of its own.
    pub fn networks(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.0.iter().copied()
    }

    /// Does every address of `other`, or any address at all, stand in this list?
    pub(super) fn cover(&self, other: Option<&Self>) -> bool {
        let all = || [Ipv4Net::default().into(), Ipv6Net::default().into()];
        let wanted = other.map_or_else(|| all().to_vec(), |other| other.networks().collect());
        let own = IpNet::aggregate(&self.networks().collect());
        wanted.iter().all(|wanted| own.iter().any(|own| own.contains(wanted)))
    }

    /// Can a packet of the family of any of these have an address of `other`?
    pub(super) fn meets(&self, other: &Self) -> bool {
        let has = |list: &Self, ipv4| list.networks().any(|net| net.addr().is_ipv4() == ipv4);
        [true, false].into_iter().any(|ipv4| has(self, ipv4) && has(other, ipv4))
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> = self.0.iter().copied().map(shown).collect();
        f.write_str(&shown.join(","))
    }
}

/// A network as the grammar writes it: one address without its prefix length.
pub(super) fn shown(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// Reads a list, which has no spaces in it.
pub(super) fn list(list: Word<'_>) -> Result<Addresses, Located> {
    list.whole_pieces("10.0.0.7,fd00::/8")?.map(network).collect::<Result<_, _>>().map(Addresses)
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
