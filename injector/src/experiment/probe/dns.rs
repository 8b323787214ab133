//! A question to a DNS server over UDP: A, and AAAA if there is none. It is asked once; a packet that is lost is a timeout.

use std::net::{IpAddr, SocketAddr};

use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE, rdata::RData};

use crate::experiment::{
    answer::Answer,
    failure::Failure,
    namespaces::{Place, host_and_port},
};

/// The longest answer over UDP without EDNS (RFC 1035), and what some send in spite of that.
const LONGEST: usize = 4096;

/// Asks for the addresses of `name`, which are the lines of the answer.
pub(super) async fn ask(place: &Place, name: &str, server: Option<&str>) -> Result<Answer, Failure> {
    let server = match server {
        Some(text) => server_at(place, text).await?,
        None => first_of(&place.read("/etc/resolv.conf").await?)?,
    };
    let socket = place.udp(server).await?;
    let mut addresses = Vec::new();
    // Each look has a socket of its own, so an answer to another one does not come here.
    for (kind, id) in [(TYPE::A, 1), (TYPE::AAAA, 2)] {
        socket.send(&question(name, kind, id)?).await?;
        let mut buffer = [0; LONGEST];
        let found = loop {
            let length = socket.recv(&mut buffer).await?;
            if let Some(found) = answer(&buffer[..length], id)? {
                break found;
            }
        };
        addresses.extend(found);
        if !addresses.is_empty() {
            break;
        }
    }
    if addresses.is_empty() {
        return Err(Failure::Dns("has no address".to_owned()));
    }
    let lines: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
    Ok(Answer::plain(lines.join("\n")))
}

/// `ADDRESS[:PORT]`, or a name of the lab.
async fn server_at(place: &Place, text: &str) -> Result<SocketAddr, Failure> {
    if let Ok(address) = text.parse() {
        return Ok(SocketAddr::new(address, 53));
    }
    let (host, port) = host_and_port(text).unwrap_or((text, 53));
    let addresses = place.addresses(host).await?;
    addresses.first().map(|&address| SocketAddr::new(address, port)).ok_or(Failure::NameNotFound)
}

/// The first server that a resolv.conf(5) names.
pub(super) fn first_of(text: &[u8]) -> Result<SocketAddr, Failure> {
    let text = String::from_utf8_lossy(text);
    let server = text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then(|| words.next()?.parse::<IpAddr>().ok())?
    });
    server.map(|address| SocketAddr::new(address, 53)).ok_or(Failure::Absent("nameserver"))
}

fn question(name: &str, kind: TYPE, id: u16) -> Result<Vec<u8>, Failure> {
    let wrong = || Failure::Malformed { text: name.to_owned(), what: "host name" };
    let asked = Name::new(name.trim_end_matches('.')).map_err(|_| wrong())?;
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(asked, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().map_err(|_| wrong())
}

/// The addresses of an answer to that question; none if it answers another.
fn answer(packet: &[u8], id: u16) -> Result<Option<Vec<IpAddr>>, Failure> {
    let packet = Packet::parse(packet).map_err(|_| Failure::Protocol("DNS"))?;
    if packet.id() != id {
        return Ok(None);
    }
    let refused = match packet.rcode() {
        RCODE::NoError => {
            let address = |data: &RData<'_>| match data {
                RData::A(a) => Some(IpAddr::V4(a.address.into())),
                RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.address.into())),
                _ => None,
            };
            return Ok(Some(packet.answers.iter().filter_map(|record| address(&record.rdata)).collect()));
        }
        RCODE::NameError => "nxdomain",
        RCODE::ServerFailure => "servfail",
        RCODE::Refused => "refused",
        RCODE::FormatError => "formerr",
        RCODE::NotImplemented => "notimp",
        _ => "error",
    };
    Err(Failure::Dns(refused.to_owned()))
}
