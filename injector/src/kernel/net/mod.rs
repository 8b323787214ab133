//! Packets at devices: a loaded classifier on every device through which a target sends.
//!
//! A program at a cgroup's own egress hook could drop packets, too, but not in silence: the sender is
//! told. So it sits at the devices, in each network namespace in which the target lives. What takes time, or
//! depends on what a packet is on the wire, makes a detour through a delay line; so does what comes in and is to wait,
//! from another classifier, where the whole network namespace is the target's.

mod attach;
mod bridged;
mod clsact;
mod coverage;
mod delay_line;
mod device;
mod error;
mod fq;
mod leftover;
mod lock;
mod namespace;
mod offload;
mod rtnetlink;
mod shared;
mod side;
mod tcx;
mod veth;

pub use self::{
    attach::{Attachment, Classifier},
    bridged::BridgedNet,
    coverage::{Coverage, Event},
    delay_line::{DelayLinePrograms, Lines, works as delay_line_works},
    device::{Change, Device, Devices},
    error::{PacketError, Shared},
    leftover::{Filters, sweep},
    namespace::{NetNs, in_a_fresh_one, namespaces_of},
    shared::shared,
    side::{Mechanism, Side},
};
