//! Rules that refuse: what they mean and what is said, as the kernel side reads it.

use injector_common::{
    packet::{CONNECT, TCP, UDP},
    rule::{FAULT_RETURN, Rule as KernelRule},
};

use crate::spec::errno::Errno;

/// Connections fail. They are TCP's and UDP's, and there is no packet yet.
pub(super) fn connect(error: Errno, rule: &mut KernelRule) {
    rule.packets.directions = CONNECT;
    rule.packets.protocols &= TCP | UDP;
    (rule.fault, rule.value) = (FAULT_RETURN, -i64::from(error.number()));
}
