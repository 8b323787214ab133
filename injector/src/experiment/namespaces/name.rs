//! What a host's name means: first to the lab, then as an address, then to the system.
//!
//! The system's resolver would ask from outside of a lab's network, so inside of one no other name means anything.

use std::net::{IpAddr, Ipv4Addr};

use crate::experiment::{failure::Failure, namespaces::Place};

impl Place {
    /// The addresses of a host, in the order in which they are to be tried. There is at least one.
    ///
    /// # Errors
    /// [`Failure::NameNotFound`].
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Failure> {
        let namespaces = self.namespaces();
        let of_lab = namespaces.hosts.iter().find(|(name, _)| name.eq_ignore_ascii_case(host));
        if let Some((_, address)) = of_lab {
            return Ok(vec![*address]);
        }
        let literal = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = literal.parse() {
            return Ok(vec![address]);
        }
        if namespaces.network.is_some() {
            let itself = host.eq_ignore_ascii_case("localhost").then_some(Ipv4Addr::LOCALHOST.into());
            return itself.map(|address| vec![address]).ok_or(Failure::NameNotFound);
        }
        let found = tokio::net::lookup_host((host, 0)).await.map_err(|_| Failure::NameNotFound)?;
        let found: Vec<_> = found.map(|address| address.ip()).collect();
        if found.is_empty() { Err(Failure::NameNotFound) } else { Ok(found) }
    }
}

/// `HOST:PORT` in its parts; `[::1]:80` has its brackets on.
///
/// # Errors
/// [`Failure::Malformed`].
pub fn host_and_port(text: &str) -> Result<(&str, u16), Failure> {
    let split = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    split
        .filter(|(host, _)| !host.is_empty())
        .ok_or_else(|| Failure::Malformed { text: text.to_owned(), what: "HOST:PORT" })
}
