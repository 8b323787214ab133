//! The connection by which the injector's user came to this machine: no rule on packets means it, so that nobody is
//! locked out by the fault that they asked for.

use bytemuck::{Pod, Zeroable};

use crate::packet::Packet;

/// TCP's number in the IP header.
const TCP: u8 = 6;

/// One TCP connection by its two ends.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Session {
    /// The user's address, as in [`Packet`], as two numbers.
    pub client: [u64; 2],
    /// This machine's.
    pub server: [u64; 2],
    /// The user's port, in host order.
    pub client_port: u16,
    /// This machine's.
    pub server_port: u16,
    /// Not 0 where there is such a connection at all.
    pub known: u32,
}

const _: () = assert!(size_of::<Session>() == 40);

impl Session {
    /// The connection between two ends, addresses as in [`Packet`].
    #[must_use]
    pub fn between(client: ([u8; 16], u16), server: ([u8; 16], u16)) -> Self {
        Self {
            client: words(&client.0),
            server: words(&server.0),
            client_port: client.1,
            server_port: server.1,
            known: 1,
        }
    }

    /// Is it a packet of this connection, in either direction?
    #[inline(always)]
    #[must_use]
    pub fn owns(&self, packet: &Packet) -> bool {
        if packet.protocol != TCP {
            return false;
        }
        let leaves = packet.source_port == self.server_port && packet.destination_port == self.client_port;
        let comes = packet.source_port == self.client_port && packet.destination_port == self.server_port;
        let (source, destination) = (words(&packet.source), words(&packet.destination));
        leaves && source == self.server && destination == self.client
            || comes && source == self.client && destination == self.server
    }
}

#[inline(always)]
fn words(address: &[u8; 16]) -> [u64; 2] {
    let [a, b, c, d] = bytemuck::cast::<[u8; 16], [u32; 4]>(*address);
    [u64::from(a) << 32 | u64::from(b), u64::from(c) << 32 | u64::from(d)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::mapped;

    #[test]
    fn both_directions_and_nothing_else() {
        let (user, here, other) = (mapped([10, 0, 0, 1]), mapped([10, 0, 0, 2]), mapped([10, 0, 0, 3]));
        let session = Session::between((user, 5000), (here, 22));
        let packet = |source, source_port, destination, destination_port, protocol| Packet {
            source,
            destination,
            source_port,
            destination_port,
            protocol,
            ..Packet::default()
        };
        assert!(session.owns(&packet(here, 22, user, 5000, 6)));
        assert!(session.owns(&packet(user, 5000, here, 22, 6)));
        for stranger in [
            packet(here, 22, user, 5001, 6),
            packet(here, 23, user, 5000, 6),
            packet(here, 5000, user, 22, 6),
            packet(here, 22, other, 5000, 6),
            packet(other, 22, user, 5000, 6),
            packet(user, 22, here, 5000, 6),
            packet(here, 22, user, 5000, 17),
        ] {
            assert!(!session.owns(&stranger), "{stranger:?}");
        }
    }
}
