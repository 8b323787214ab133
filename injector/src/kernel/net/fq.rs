//! The queue of a delay line: fq, which sends each packet at the time that is written in it
//! (net/sched/sch_fq.c). Set up so that nothing but that time counts.

use std::{io, time::Duration};

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};

use crate::{
    kernel::net::{
        clsact::{TC_HEADER, header, kind, kind_of},
        rtnetlink::{Rtnetlink, attribute, nest},
    },
    plan::Queue,
};

/// include/uapi/linux/pkt_sched.h: the place of a device's own qdisc, and the number of ours.
const TC_H_ROOT: u32 = u32::MAX;
const HANDLE: u32 = 1 << 16;

const TCA_FQ_PLIMIT: u16 = 1;
const TCA_FQ_FLOW_PLIMIT: u16 = 2;
const TCA_FQ_RATE_ENABLE: u16 = 5;
const TCA_FQ_HORIZON: u16 = 14;
const TCA_FQ_HORIZON_DROP: u16 = 15;

/// Beyond what the rules let wait: by them a packet is dropped and counted, here it would just be gone.
const SPARE: u64 = 10_000;
/// A packet that is due so long after the longest wait is sent then: it would be on the wire of its rate for that long.
const BEYOND: Duration = Duration::from_mins(10);

/// Puts one on a device, or gives the one that is there more room.
pub(super) fn set(socket: &mut Rtnetlink, device: u32, room: Queue, anew: bool) -> io::Result<()> {
    let limit = u32::try_from(room.packets.saturating_add(SPARE)).unwrap_or(u32::MAX);
    let horizon = u32::try_from((room.longest + BEYOND).as_micros()).unwrap_or(u32::MAX);
    let number = |kind, value: u32| DefaultNla::new(kind, value.to_ne_bytes().to_vec());
    let options = nest(&[
        number(TCA_FQ_PLIMIT, limit),
        number(TCA_FQ_FLOW_PLIMIT, limit),
        number(TCA_FQ_RATE_ENABLE, 0),
        number(TCA_FQ_HORIZON, horizon),
        DefaultNla::new(TCA_FQ_HORIZON_DROP, vec![0]),
    ]);
    let attributes = [kind("fq"), DefaultNla::new(libc::TCA_OPTIONS, options)];
    let fixed = header(device, HANDLE, TC_H_ROOT, 0);
    let flags = if anew { NLM_F_CREATE | NLM_F_EXCL } else { 0 };
    socket.change(libc::RTM_NEWQDISC, flags, &fixed, &attributes)
}

/// How many packets wait in the queue of a device.
pub(super) fn waiting(socket: &mut Rtnetlink, device: u32) -> io::Result<u32> {
    /// include/uapi/linux/gen_stats.h: `gnet_stats_queue` begins with qlen.
    const TCA_STATS2: u16 = 7;
    const TCA_STATS_QUEUE: u16 = 3;
    const DEVICE: usize = 4;
    let found = socket.list(libc::RTM_GETQDISC, &header(device, 0, 0, 0), &[])?;
    let ours = found.iter().find(|one| one.field(DEVICE) == device && kind_of(one) == "fq");
    let statistics = ours.and_then(|one| attribute(one.attribute(TC_HEADER, TCA_STATS2)?, TCA_STATS_QUEUE));
    let packets = statistics.and_then(|all| all.first_chunk()).map_or(0, |first| u32::from_ne_bytes(*first));
    Ok(packets)
}
