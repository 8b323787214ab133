//! Who has which address, and the names of all in `/etc/hosts`. The same lab has the same addresses in every run.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::Ipv4Net;

use crate::experiment::lab::error::LabError;

/// The addresses of a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    /// The bridge's, from which loads and probes come that are made in no service.
    pub(super) hub: Ipv4Addr,
    /// The services', by name.
    pub(super) services: BTreeMap<String, Ipv4Addr>,
}

impl Addresses {
    /// The first address of `network` for the bridge, the others for the services in the order of their names.
    pub(super) fn of<'a>(
        network: Ipv4Net,
        services: impl IntoIterator<Item = &'a String>,
    ) -> Result<Self, LabError> {
        let names: Vec<_> = services.into_iter().collect();
        let mut hosts = network.hosts();
        let (hub, rest) = (hosts.next(), hosts);
        let services: BTreeMap<_, _> = names.iter().map(|&name| name.clone()).zip(rest).collect();
        match hub {
            Some(hub) if services.len() == names.len() => Ok(Self { hub, services }),
            _ => Err(LabError::NetworkFull { network, services: names.len() }),
        }
    }

    /// The same as most people want them.
    pub(super) fn named(&self) -> BTreeMap<String, IpAddr> {
        self.services.iter().map(|(name, &address)| (name.clone(), address.into())).collect()
    }
}

/// An `/etc/hosts` with these names, and with nothing of the machine's.
pub(super) fn hosts_file(names: &BTreeMap<String, IpAddr>) -> String {
    let mut text = "127.0.0.1 localhost\n::1 localhost\n".to_owned();
    for (name, address) in names {
        let _ = writeln!(text, "{address} {name}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("s{number:03}")).collect()
    }

    #[test]
    fn services_get_addresses_in_the_order_of_their_names() {
        let names =
            ["web", "db", "cache"].map(str::to_owned).into_iter().collect::<std::collections::BTreeSet<_>>();
        let addresses = Addresses::of("10.77.0.0/24".parse().unwrap(), &names).unwrap();
        assert_eq!(addresses.hub, Ipv4Addr::new(10, 77, 0, 1));
        let services: Vec<_> = addresses.services.iter().map(|(name, at)| format!("{name} {at}")).collect();
        assert_eq!(services, ["cache 10.77.0.2", "db 10.77.0.3", "web 10.77.0.4"]);
        let hosts = hosts_file(&addresses.named());
        assert_eq!(
            hosts,
            "127.0.0.1 localhost\n::1 localhost\n10.77.0.2 cache\n10.77.0.3 db\n10.77.0.4 web\n"
        );
    }

    #[test]
    fn a_network_can_be_too_small() {
        let small = "10.1.2.8/29".parse().unwrap();
        assert_eq!(Addresses::of(small, &names(5)).unwrap().services["s004"], Ipv4Addr::new(10, 1, 2, 14));
        let refused = Addresses::of(small, &names(6)).unwrap_err().to_string();
        assert_eq!(refused, "cannot give 6 services an address each: 10.1.2.8/29 has 5 besides the bridge's");
        // Whoever writes an address of a network means the network.
        let inside = "10.1.2.77/24".parse().unwrap();
        assert_eq!(Addresses::of(inside, &names(1)).unwrap().services["s000"], Ipv4Addr::new(10, 1, 2, 2));
        assert!(Addresses::of("10.0.0.1/32".parse().unwrap(), &names(1)).is_err());
    }
}
