//! The devices of a network namespace, now and later.

use std::{
    collections::BTreeMap,
    io,
    os::fd::OwnedFd,
    task::{Context, Poll, ready},
};

use netlink_packet_core::DefaultNla;
use tokio::io::unix::AsyncFd;

use crate::{
    kernel::net::{
        error::PacketError,
        namespace::NetNs,
        rtnetlink::{Message, Rtnetlink, heard, subscribe, text},
    },
    readable::readable,
};

/// `struct ifinfomsg` (include/uapi/linux/rtnetlink.h): family, type, index, flags, change.
const LINK_HEADER: usize = 16;
const LINK_INDEX: usize = 4;

/// `RTEXT_FILTER_SKIP_STATS`: the counters of each device are not needed.
const SKIP_STATS: u32 = 1 << 3;

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its number in its namespace.
    pub index: u32,
    /// Its name there.
    pub name: String,
}

/// What happened to the devices of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A device is there that was not.
    Added(Device),
    /// The device of that number has left, by removal or to another namespace.
    Removed(u32),
    /// A filter or a qdisc has left the device of that number.
    Unfiltered(u32),
}

/// The devices of a namespace, kept up to date.
#[derive(Debug)]
pub struct Devices {
    inode: u64,
    news: AsyncFd<OwnedFd>,
    socket: Rtnetlink,
    known: BTreeMap<u32, String>,
}

impl Devices {
    /// Starts to watch, and lists what is there: nothing can come in between unseen. `filters`: hears of
    /// [`Change::Unfiltered`], too. To be called in a tokio runtime.
    ///
    /// # Errors
    /// [`PacketError`]: no rtnetlink socket can be opened in that namespace, or the devices cannot be listed.
    pub fn watch(namespace: &NetNs, filters: bool) -> Result<Self, PacketError> {
        let inode = namespace.inode();
        let failed = |source| PacketError::List { what: "devices", inode, source };
        let opened = namespace.run(|| -> io::Result<_> {
            let groups = libc::RTMGRP_LINK | if filters { libc::RTMGRP_TC } else { 0 };
            Ok((subscribe(groups.unsigned_abs())?, Rtnetlink::open()?))
        })?;
        let (news, mut socket) = opened.map_err(failed)?;
        let known = list(&mut socket).map_err(failed)?;
        Ok(Self { inode, news: readable(news).map_err(failed)?, socket, known })
    }

    /// Those that are there, as far as changes were asked for.
    pub fn present(&self) -> impl Iterator<Item = Device> {
        self.known.iter().map(|(&index, name)| Device { index, name: name.clone() })
    }

    /// The next changes, in their order, for whoever waits for several namespaces.
    pub(crate) fn poll_changes(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Vec<Change>, PacketError>> {
        let inode = self.inode;
        let failed = |source| PacketError::List { what: "devices", inode, source };
        loop {
            let mut ready = ready!(self.news.poll_read_ready(context)).map_err(failed)?;
            let changes = match heard(ready.get_inner()) {
                Ok(Some(messages)) => apply(&messages, &mut self.known),
                Ok(None) => {
                    ready.clear_ready();
                    continue;
                }
                // The kernel had more to say than the socket holds. What it still holds is from before the
                // gap: it goes, and what was missed is found by looking.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    drain(ready.get_inner()).map_err(failed)?;
                    let present = list(&mut self.socket).map_err(failed)?;
                    let changes = anew(&self.known, &present);
                    self.known = present;
                    changes
                }
                Err(error) => return Poll::Ready(Err(failed(error))),
            };
            if !changes.is_empty() {
                return Poll::Ready(Ok(changes));
            }
        }
    }
}

/// Throws away what a socket holds.
fn drain(news: &OwnedFd) -> io::Result<()> {
    loop {
        match heard(news) {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
            Err(error) => return Err(error),
        }
    }
}

fn list(socket: &mut Rtnetlink) -> io::Result<BTreeMap<u32, String>> {
    let mask = DefaultNla::new(libc::IFLA_EXT_MASK, SKIP_STATS.to_ne_bytes().to_vec());
    let found = socket.list(libc::RTM_GETLINK, &[0; LINK_HEADER], &[mask])?;
    let mut present = BTreeMap::new();
    apply(&found, &mut present);
    Ok(present)
}

/// Brings `known` up to date and tells what that changed. Messages of family `AF_BRIDGE` are about ports
/// of bridges: one that a bridge lets go of is still a device.
fn apply(messages: &[Message], known: &mut BTreeMap<u32, String>) -> Vec<Change> {
    let mut changes = Vec::new();
    for message in messages.iter().filter(|message| i32::from(message.family()) == libc::AF_UNSPEC) {
        let index = message.field(LINK_INDEX);
        match message.kind {
            libc::RTM_NEWLINK => {
                let name = message.attribute(LINK_HEADER, libc::IFLA_IFNAME).map(text).unwrap_or_default();
                if known.insert(index, name.clone()).is_none() {
                    changes.push(Change::Added(Device { index, name }));
                }
            }
            libc::RTM_DELTFILTER | libc::RTM_DELQDISC => changes.push(Change::Unfiltered(index)),
            libc::RTM_DELLINK if known.remove(&index).is_some() => changes.push(Change::Removed(index)),
            _ => {}
        }
    }
    changes
}

/// What to do when news were missed: a number, even with the same name, may be another device by now.
fn anew(before: &BTreeMap<u32, String>, after: &BTreeMap<u32, String>) -> Vec<Change> {
    let added = after.iter().map(|(&index, name)| Change::Added(Device { index, name: name.clone() }));
    before.keys().map(|&index| Change::Removed(index)).chain(added).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_missed_news_all_begins_anew() {
        let known = |devices: &[(u32, &str)]| -> BTreeMap<u32, String> {
            devices.iter().map(|&(index, name)| (index, name.to_owned())).collect()
        };
        let device = |index, name: &str| Change::Added(Device { index, name: name.into() });
        let changes = anew(&known(&[(1, "lo"), (2, "eth0")]), &known(&[(1, "lo"), (4, "eth1")]));
        assert_eq!(changes, [Change::Removed(1), Change::Removed(2), device(1, "lo"), device(4, "eth1")]);
    }

    #[test]
    fn every_namespace_has_a_loopback_device_of_number_1() {
        let present = list(&mut Rtnetlink::open().unwrap()).unwrap();
        assert_eq!(present.get(&1).map(String::as_str), Some("lo"));
    }
}
