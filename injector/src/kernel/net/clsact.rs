//! clsact (before Linux 6.6): a qdisc with filters at the sides of a device, made over rtnetlink.
//!
//! Neither ends with the process that made it. So each filter carries its plan in its name, and whoever
//! comes next removes those whose plan is no more.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};

use crate::kernel::net::{
    lock::Lock,
    rtnetlink::{Message, Rtnetlink, attribute, nest, text, zero_ended},
    side::Side,
};

/// Names of our filters start with this, then comes the plan in hexadecimal.
const PREFIX: &str = "injector-";

/// `struct tcmsg` (include/uapi/linux/rtnetlink.h): family, device, handle, parent, info.
pub(super) const TC_HEADER: usize = 20;
const DEVICE: usize = 4;
const HANDLE: usize = 8;
const PARENT: usize = 12;
const INFO: usize = 16;

/// include/uapi/linux/pkt_sched.h: where clsact and `ingress` sit, and the two lists of filters in it.
const TC_H_CLSACT: u32 = 0xFFFF_FFF1;
const TC_H_CLSACT_HANDLE: u32 = 0xFFFF_0000;
const INGRESS_FILTERS: u32 = 0xFFFF_FFF2;
const EGRESS_FILTERS: u32 = 0xFFFF_FFF3;

/// Blocks of filters that several qdiscs share.
const TCA_INGRESS_BLOCK: u16 = 13;
const TCA_EGRESS_BLOCK: u16 = 14;

/// include/uapi/linux/pkt_cls.h
const TCA_BPF_FD: u16 = 6;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_FLAGS: u16 = 8;
/// The program's return value is the verdict.
const TCA_BPF_FLAG_ACT_DIRECT: u32 = 1;

/// Before all others. Those of the same priority and kind are asked last added first
/// (`cls_bpf_change`, net/sched/cls_bpf.c).
const FIRST: u32 = 1;
/// Let the kernel choose: before all that it chose before, but after any that was given a number.
const ANY: u32 = 0;

/// The name of a plan's filters.
pub(crate) fn filter_name(plan: u64) -> String {
    format!("{PREFIX}{plan:x}")
}

/// The plan of a filter, if it is one of ours.
fn plan_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?;
    let plan = u64::from_str_radix(digits, 16).ok()?;
    (filter_name(plan) == name).then_some(plan)
}

/// What keeps clsact off a device.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A qdisc of this kind, usually `ingress`, has its place.
    Occupied(String),
    /// A request failed.
    System(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Occupied(_) => io::ErrorKind::ResourceBusy.into(),
            Refusal::System(error) => error,
        }
    }
}

/// Puts a program at a side of a device, with the qdisc that it needs.
pub(crate) fn attach(
    socket: &mut Rtnetlink,
    device: u32,
    side: Side,
    program: BorrowedFd<'_>,
    plan: u64,
) -> Result<(), Refusal> {
    let _lock = Lock::take();
    match qdisc(socket, device)?.map(|found| kind_of(&found)) {
        Some(kind) if kind != "clsact" => return Err(Refusal::Occupied(kind)),
        Some(_) => {}
        None => add_qdisc(socket, device)?,
    }
    let parent = parent(side);
    let added = match add_filter(socket, (device, parent), program, plan, FIRST) {
        // That priority belongs to filters of another kind or protocol (net/sched/cls_api.c).
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            tracing::warn!("device {device}: others' filters come first and may decide before ours");
            add_filter(socket, (device, parent), program, plan, ANY)
        }
        added => added,
    };
    if let Err(error) = added {
        remove_empty_qdisc(socket, device)?;
        return Err(error.into());
    }
    Ok(())
}

/// Where the filters of a side are.
const fn parent(side: Side) -> u32 {
    match side {
        Side::Ingress => INGRESS_FILTERS,
        Side::Egress => EGRESS_FILTERS,
    }
}

/// Takes the filters of a plan from a side of a device, and the qdisc if nothing else is in it.
pub(crate) fn detach(socket: &mut Rtnetlink, device: u32, side: Side, plan: u64) -> io::Result<()> {
    unless_gone(remove(socket, device, &[side], plan)).map(drop)
}

/// Is the plan's filter at a side of a device?
pub(crate) fn is_attached(socket: &mut Rtnetlink, device: u32, side: Side, plan: u64) -> io::Result<bool> {
    let found = unless_gone(filters(socket, device, parent(side)))?;
    let name = filter_name(plan);
    Ok(found.iter().any(|filter| name_of(filter).as_deref() == Some(&name)))
}

/// The plans that have filters on devices of the socket's namespace, with these devices.
pub(crate) fn plans(socket: &mut Rtnetlink) -> io::Result<Vec<(u32, u64)>> {
    let mut found = Vec::new();
    let qdiscs = socket.list(libc::RTM_GETQDISC, &header(0, 0, 0, 0), &[])?;
    for qdisc in qdiscs.iter().filter(|qdisc| kind_of(qdisc) == "clsact") {
        let device = qdisc.field(DEVICE);
        for side in [Side::Ingress, Side::Egress] {
            let filters = unless_gone(filters(socket, device, parent(side)))?;
            let plans = filters.iter().filter_map(|filter| plan_of(&name_of(filter)?));
            found.extend(plans.map(|plan| (device, plan)));
        }
    }
    Ok(found)
}

/// Takes the filters of a plan that is no more from a device, and the qdisc if that leaves it empty. Gives their names.
pub(crate) fn sweep(socket: &mut Rtnetlink, device: u32, plan: u64) -> io::Result<Vec<String>> {
    unless_gone(remove(socket, device, &[Side::Ingress, Side::Egress], plan))
}

/// A device that is gone has nothing.
fn unless_gone<T: Default>(result: io::Result<T>) -> io::Result<T> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(T::default()),
        result => result,
    }
}

fn remove(socket: &mut Rtnetlink, device: u32, sides: &[Side], plan: u64) -> io::Result<Vec<String>> {
    let _lock = Lock::take();
    let mut removed = Vec::new();
    for parent in sides.iter().copied().map(parent) {
        for filter in filters(socket, device, parent)? {
            let Some(name) = name_of(&filter).filter(|name| plan_of(name) == Some(plan)) else { continue };
            let fixed = header(device, filter.field(HANDLE), parent, filter.field(INFO));
            socket.change(libc::RTM_DELTFILTER, 0, &fixed, &[kind("bpf")])?;
            removed.push(name);
        }
    }
    if !removed.is_empty() {
        remove_empty_qdisc(socket, device)?;
    }
    Ok(removed)
}

fn add_qdisc(socket: &mut Rtnetlink, device: u32) -> io::Result<()> {
    let fixed = header(device, TC_H_CLSACT_HANDLE, TC_H_CLSACT, 0);
    match socket.change(libc::RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &fixed, &[kind("clsact")]) {
        // Somebody else was faster.
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        result => result,
    }
}

fn add_filter(
    socket: &mut Rtnetlink,
    (device, parent): (u32, u32),
    program: BorrowedFd<'_>,
    plan: u64,
    priority: u32,
) -> io::Result<()> {
    // Handle 0: the kernel chooses one. Protocol: all, in network byte order.
    let protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or_default().to_be();
    let fixed = header(device, 0, parent, priority << 16 | u32::from(protocol));
    let options = nest(&[
        DefaultNla::new(TCA_BPF_FD, program.as_raw_fd().to_ne_bytes().to_vec()),
        DefaultNla::new(TCA_BPF_NAME, zero_ended(&filter_name(plan))),
        DefaultNla::new(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT.to_ne_bytes().to_vec()),
    ]);
    let attributes = [kind("bpf"), DefaultNla::new(libc::TCA_OPTIONS, options)];
    socket.change(libc::RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &fixed, &attributes)
}

/// Ours may be gone before somebody else adds a filter to it; whoever does that makes it anew, as tc does.
fn remove_empty_qdisc(socket: &mut Rtnetlink, device: u32) -> io::Result<()> {
    let Some(found) = qdisc(socket, device)? else { return Ok(()) };
    let shared =
        |block| found.attribute(TC_HEADER, block).is_some_and(|value| value.iter().any(|&byte| byte != 0));
    if kind_of(&found) != "clsact" || shared(TCA_INGRESS_BLOCK) || shared(TCA_EGRESS_BLOCK) {
        return Ok(());
    }
    for parent in [INGRESS_FILTERS, EGRESS_FILTERS] {
        if !filters(socket, device, parent)?.is_empty() {
            return Ok(());
        }
    }
    let fixed = header(device, TC_H_CLSACT_HANDLE, TC_H_CLSACT, 0);
    match socket.change(libc::RTM_DELQDISC, 0, &fixed, &[]) {
        // Somebody else was faster.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

/// What sits in clsact's place. (The kernel lists the qdiscs of all devices: it heeds the number only
/// when asked strictly.)
fn qdisc(socket: &mut Rtnetlink, device: u32) -> io::Result<Option<Message>> {
    let found = socket.list(libc::RTM_GETQDISC, &header(device, 0, 0, 0), &[])?;
    Ok(found.into_iter().find(|one| one.field(DEVICE) == device && one.field(PARENT) == TC_H_CLSACT))
}

/// Filters of one side, without the entries that only stand for a priority (handle 0).
fn filters(socket: &mut Rtnetlink, device: u32, parent: u32) -> io::Result<Vec<Message>> {
    let mut found = socket.list(libc::RTM_GETTFILTER, &header(device, 0, parent, 0), &[])?;
    found.retain(|one| one.kind == libc::RTM_NEWTFILTER && one.field(DEVICE) == device);
    Ok(found)
}

fn name_of(filter: &Message) -> Option<String> {
    if filter.field(HANDLE) == 0 || kind_of(filter) != "bpf" {
        return None;
    }
    attribute(filter.attribute(TC_HEADER, libc::TCA_OPTIONS)?, TCA_BPF_NAME).map(text)
}

pub(super) fn kind_of(message: &Message) -> String {
    message.attribute(TC_HEADER, libc::TCA_KIND).map(text).unwrap_or_default()
}

pub(super) fn kind(name: &str) -> DefaultNla {
    DefaultNla::new(libc::TCA_KIND, zero_ended(name))
}

pub(super) fn header(device: u32, handle: u32, parent: u32, info: u32) -> [u8; TC_HEADER] {
    let mut bytes = [0; TC_HEADER];
    for (offset, value) in [(DEVICE, device), (HANDLE, handle), (PARENT, parent), (INFO, info)] {
        bytes[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_plan() {
        assert_eq!(filter_name(0xab12), "injector-ab12");
        assert_eq!(plan_of("injector-ab12"), Some(0xab12));
        assert_eq!(plan_of(&filter_name(u64::MAX)), Some(u64::MAX));
        for other in
            ["injector-", "injector-xyz", "injector-0ab", "injector-AB", "injector-+1", "cil_to_netdev"]
        {
            assert_eq!(plan_of(other), None, "{other}");
        }
    }
}
