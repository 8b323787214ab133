//! Rules that refuse: what they mean and what is said, as the kernel side reads it.

use injector_common::{
    code::FaultCode,
    packet::{CONNECT, DESTINATION_PORT, EITHER_PORT, TCP, UDP},
    reject::{BY_PROTOCOL, FORBIDDEN, NO_HOST, NO_NET, NO_PORT, RESET},
    rule::Rule as KernelRule,
};

use crate::spec::{
    dns::Dns,
    errno::Errno,
    packet::{Reject, Unreachable},
};

/// Connections fail. They are TCP's and UDP's, and there is no packet yet.
pub(super) fn connect(error: Errno, rule: &mut KernelRule) {
    rule.packets.directions = CONNECT;
    rule.packets.protocols &= TCP | UDP;
    (rule.fault, rule.value) = (FaultCode::RETURN, -i64::from(error.number()));
}

/// Packets are answered. Only TCP has resets.
pub(super) fn reject(how: Reject, rule: &mut KernelRule) {
    let asked = match how {
        Reject::ByProtocol => BY_PROTOCOL,
        Reject::Reset => RESET,
        Reject::Unreachable(Unreachable::Port) => NO_PORT,
        Reject::Unreachable(Unreachable::Host) => NO_HOST,
        Reject::Unreachable(Unreachable::Net) => NO_NET,
        Reject::Unreachable(Unreachable::Admin) => FORBIDDEN,
    };
    if how == Reject::Reset {
        rule.packets.protocols &= TCP;
    }
    (rule.fault, rule.value) = (FaultCode::REJECT, i64::from(asked));
}

/// Questions for names are answered: those that go by UDP to the ports that the rule names, or to port 53. Which names
/// is in tries of their own, see [`super::names`].
pub(super) fn dns(asked: &Dns, rule: &mut KernelRule) {
    rule.packets.protocols &= UDP;
    if rule.packets.asked & (DESTINATION_PORT | EITHER_PORT) == 0 {
        rule.packets.asked |= DESTINATION_PORT;
    }
    (rule.fault, rule.value) = (FaultCode::DNS, i64::from(asked.answer.number()));
}
