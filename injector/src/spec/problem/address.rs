//! What can be wrong with addresses, host names and ports, each with its remedy.

use thiserror::Error;

/// Why a text is no address, host name or port.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum AddressProblem {
    #[error("`{word}` is an address with a port")]
    AddressWithPort { word: String, address: String, port: u16, place: AddressPlace },
    #[error("`{0}` is not an IP address or network")]
    Address(String),
    #[error("`{0}` is not an IP address, a network or a host name")]
    HostName(String),
    #[error("`{0}` is a word of the grammar, and an address is needed here")]
    NoAddress(String),
    #[error("`{network}` has bits set outside its prefix")]
    HostBits { network: String, whole: String, single: String },
    #[error("`{0}` is not a port or a range of ports")]
    Port(String),
    #[error("port 0 is never on the wire")]
    PortZero,
    #[error("the range `{0}` ends before it starts")]
    PortOrder(String),
}

impl AddressProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::AddressWithPort { address, port, place, .. } => with_port(address, *port, *place),
            Self::Address(_) => "write an address such as `10.0.0.7` or a network such as `fd00::/8`".into(),
            Self::HostName(_) => {
                "write an address such as `10.0.0.7`, or a name of letters, digits, `-` and `.` such as `db.example`"
                    .into()
            }
            Self::NoAddress(word) => {
                format!("write an address such as `10.0.0.7` behind `to` or `from`, or `{word}.` for a host of that name")
            }
            Self::HostBits { whole, single, .. } => {
                format!("write `{whole}` for the network or `{single}` for the address")
            }
            Self::Port(word) if word.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                format!("write the number, which `getent services {word}` has if it is a service")
            }
            Self::Port(_) => "write ports from 1 to 65535, such as `80,443,8000-8080`".into(),
            Self::PortZero => "write a port from 1 to 65535".into(),
            Self::PortOrder(_) => "write the lower port first".into(),
        }
    }
}

/// Where an address stands; what to write for its port depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressPlace {
    /// Behind `to`.
    To,
    /// Behind `from`.
    From,
    /// Behind `peer=`.
    Peer,
    /// Anywhere else.
    Other,
}

/// What to write for an address with a port.
fn with_port(address: &str, port: u16, place: AddressPlace) -> String {
    match place {
        AddressPlace::To => format!("write `to {address} dport {port}`"),
        AddressPlace::From => format!("write `from {address} sport {port}`"),
        AddressPlace::Peer if address.contains(':') => format!("write `peer=[{address}]:port={port}`"),
        AddressPlace::Peer => format!("write `peer={address}:port={port}`"),
        AddressPlace::Other => format!("write `to {address} dport {port}` or `from {address} sport {port}`"),
    }
}
