//! Which packets a fault of our own can mean: what a MATCH must not say beside it, and why.

use crate::spec::{
    error::Located,
    net::{Match, contradiction},
    packet::{Direction, NetFault, Protocol, Reject},
};

impl Match<'_> {
    /// Can `fault` happen to these packets?
    pub(super) fn fits(&self, fault: &NetFault) -> Result<(), Located> {
        match fault {
            NetFault::Netem(_) | NetFault::Partition => Ok(()),
            NetFault::Reject(how) => {
                self.goes_out(
                    fault,
                    "only what goes out can be answered: leave the direction out, or write `partition`",
                )?;
                match how {
                    Reject::Reset => self.carries(
                        fault,
                        &[Protocol::Tcp],
                        "resets are TCP's: write `reject icmp`, or `tcp`",
                    ),
                    Reject::ByProtocol | Reject::Unreachable(_) => Ok(()),
                }
            }
            NetFault::Dns(_) => {
                self.goes_out(fault, "questions go out: leave the direction out")?;
                self.carries(
                    fault,
                    &[Protocol::Udp],
                    "only DNS over UDP is answered: write `udp`, or nothing",
                )?;
                let tcp = "flags are TCP's, and only DNS over UDP is answered: leave them out";
                match self.flags.words().next() {
                    Some(word) => Err(contradiction(&fault.to_string(), word, word.text, tcp)),
                    None => Ok(()),
                }
            }
            NetFault::Connect(_) => {
                self.goes_out(fault, "it is the target that connects: leave the direction out")?;
                self.carries(fault, &[Protocol::Tcp, Protocol::Udp], "connections are of `tcp` or `udp`")?;
                let unknown = "its own end is chosen when it connects: name the peer by `to` and `dport`";
                let nothing = "there is no packet yet: leave it out, and name the peer by `to` and `dport`";
                let own = self.from.words().chain(self.source.words()).map(|word| (word, unknown));
                let headers = self.length.words().chain(self.flags.words()).map(|word| (word, nothing));
                match own.chain(headers).min_by_key(|(word, _)| word.span().start) {
                    Some((word, why)) => Err(contradiction(&fault.to_string(), word, word.text, why)),
                    None => Ok(()),
                }
            }
        }
    }

    fn goes_out(&self, fault: &NetFault, remedy: &str) -> Result<(), Located> {
        match self.direction {
            Some((word, direction)) if direction != Direction::Egress => {
                Err(contradiction(&fault.to_string(), word, direction.word(), remedy))
            }
            _ => Ok(()),
        }
    }

    fn carries(&self, fault: &NetFault, known: &[Protocol], remedy: &str) -> Result<(), Located> {
        if let Some((word, _)) = self.barred.first() {
            return Err(contradiction(&fault.to_string(), *word, word.text, remedy));
        }
        match self.protocol {
            Some((word, protocol)) if !known.contains(&protocol) => {
                Err(contradiction(&fault.to_string(), word, word.text, remedy))
            }
            _ => Ok(()),
        }
    }
}
