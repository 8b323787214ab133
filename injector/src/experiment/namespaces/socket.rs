//! Sockets inside the namespaces, for the runtime to use, and connections to hosts by name.

use std::{
    io,
    net::{SocketAddr, TcpStream as StdStream, UdpSocket as StdUdp},
    os::fd::OwnedFd,
};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use crate::experiment::{failure::Failure, namespaces::Place};

impl Place {
    /// A connection to a host. Its addresses are tried one after the other.
    ///
    /// # Errors
    /// [`Failure`]: no address is known, or what the last one said.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Failure> {
        let mut failure = Failure::NameNotFound;
        for address in self.addresses(host).await? {
            match self.connect_to(SocketAddr::new(address, port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error.into(),
            }
        }
        Err(failure)
    }

    async fn connect_to(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let made = self.socket(address, SockType::Stream).await?;
        let stream = TcpSocket::from_std_stream(StdStream::from(made)).connect(address).await?;
        // A request is one write, and is not to wait for the answer to the one before.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A socket of UDP that sends to that address and hears from it alone.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn udp(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        let made = self.socket(address, SockType::Datagram).await?;
        let socket = UdpSocket::from_std(StdUdp::from(made))?;
        socket.connect(address).await?;
        Ok(socket)
    }

    async fn socket(&self, address: SocketAddr, kind: SockType) -> io::Result<OwnedFd> {
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        self.run(move || Ok(socket(family, kind, flags, None)?)).await
    }
}
