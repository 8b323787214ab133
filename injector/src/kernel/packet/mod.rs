//! Outgoing packets: a loaded classifier on every device through which a target sends.
//!
//! A program at a cgroup's own egress hook could drop packets, too, but not in silence: the sender is
//! told. So it sits at the devices, in each network namespace in which the target lives.

mod clsact;
mod coverage;
mod device;
mod egress;
mod error;
mod namespace;
mod rtnetlink;
mod tcx;

pub use self::{
    coverage::{Coverage, Event},
    device::{Change, Device, Devices},
    egress::{Attachment, Classifier, Mechanism, sweep},
    error::PacketError,
    namespace::{NetNs, in_a_fresh_one, namespaces_of},
};
