//! What the log says of the file or the socket that a call or an operation was about.

use std::net::{IpAddr, Ipv6Addr};

use injector_common::{event::ObjectEvent, object::Socket, packet::Packet};
use serde::Serialize;

use crate::operations;

/// A file or a socket, and the operation on it, as the log tells them.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectRecord {
    /// The operation's name; absent for a rule on calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'static str>,
    /// The path, from the thread's own root; its end behind a `…` where it is long. Absent for what has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The peer's address; absent where there is no peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
    /// The peer's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_port: Option<u16>,
    /// The socket's own port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_port: Option<u16>,
}

impl ObjectRecord {
    pub(super) fn of(event: &ObjectEvent) -> Self {
        let Socket { peer, peer_port, own_port, .. } = event.socket;
        let port = |number: u16| (number != 0).then_some(number);
        Self {
            operation: operations::by_number(event.event.operation).map(|known| known.name),
            path: path(event),
            peer: port(peer_port).map(|_| Ipv6Addr::from(peer).to_canonical()),
            peer_port: port(peer_port),
            own_port: port(own_port),
        }
    }

    /// Of a socket that is about to be connected.
    pub(super) fn connecting(peer: &Packet) -> Self {
        Self {
            operation: Some("connect"),
            path: None,
            peer: Some(Ipv6Addr::from(peer.destination).to_canonical()),
            peer_port: Some(peer.destination_port),
            own_port: None,
        }
    }
}

fn path(event: &ObjectEvent) -> Option<String> {
    let length = usize::try_from(event.path_length).ok().filter(|&length| length > 0)?;
    match event.path.len().checked_sub(length) {
        Some(begin) => Some(String::from_utf8_lossy(&event.path[begin..]).into_owned()),
        None => Some(format!("…{}", String::from_utf8_lossy(&event.path))),
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;
    use injector_common::{
        call::ABI_NONE,
        code::FaultCode,
        event::{Event, SCHEMA},
        packet::mapped,
    };

    use super::*;
    use crate::engine::Record;

    fn json(event: &ObjectEvent) -> serde_json::Value {
        let record = Record::read(bytemuck::bytes_of(event), &["the rule".to_owned()]).unwrap();
        serde_json::to_value(record).unwrap()
    }

    fn event(name: &str) -> ObjectEvent {
        let operation = operations::number(operations::get(name).unwrap());
        let event =
            Event { schema: SCHEMA, operation, fault: FaultCode::RETURN, value: -5, ..Event::zeroed() };
        ObjectEvent { event, ..ObjectEvent::zeroed() }
    }

    #[test]
    fn a_file_is_told_by_its_path() {
        let mut read = event("read");
        read.path[250..].copy_from_slice(b"/a/b.c");
        read.path_length = 6;
        let told = json(&read);
        assert_eq!((&told["operation"], &told["path"]), (&"read".into(), &"/a/b.c".into()));
        assert_eq!(told["verdict"]["errno"], "EIO");
        assert!(told["syscall"].is_string() && told.get("peer").is_none() && told.get("own_port").is_none());
        read.path.fill(b'x');
        read.path_length = 257;
        assert_eq!(json(&read)["path"], format!("…{}", "x".repeat(256)));
        read.path_length = 0;
        assert!(json(&read).get("path").is_none());
    }

    #[test]
    fn a_call_is_no_operation() {
        let mut fsync = event("read");
        fsync.event.operation = 0;
        fsync.path[253..].copy_from_slice(b"/ab");
        fsync.path_length = 3;
        let told = json(&fsync);
        assert!(told.get("operation").is_none() && told["syscall"].is_string());
        assert_eq!(told["path"], "/ab");
    }

    #[test]
    fn a_worker_is_in_no_call() {
        let mut read = event("read");
        read.event.abi = ABI_NONE;
        let told = json(&read);
        assert!(told.get("syscall").is_none() && told.get("args").is_none());
        assert_eq!(told["pid"], 0);
    }

    #[test]
    fn a_socket_is_told_by_its_ends() {
        let mut connect = event("connect");
        connect.socket = Socket { peer: mapped([10, 0, 0, 1]), peer_port: 5432, own_port: 0, family: 4 };
        let told = json(&connect);
        assert_eq!((&told["peer"], &told["peer_port"]), (&"10.0.0.1".into(), &5432.into()));
        assert!(told.get("own_port").is_none() && told.get("path").is_none());
    }
}
