//! The connection by which the user came, which rules on packets leave alone.

use std::net::{IpAddr, SocketAddr};

use injector_common::packet::mapped;

use crate::{
    plan::Plan,
    target::{Procfs, Session},
};

/// Has the rules on packets leave that connection alone, unless `--unsafe` allows it.
pub(super) fn spare_session(plan: &mut Plan, procfs: &Procfs) {
    if plan.options.allow_unsafe {
        return;
    }
    let Some(session) = Session::of(std::process::id(), procfs) else { return };
    let end = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => (mapped(ip.octets()), address.port()),
        IpAddr::V6(ip) => (ip.octets(), address.port()),
    };
    plan.session = injector_common::session::Session::between(end(session.client), end(session.server));
    if plan.needs_packets() {
        plan.notes
            .push(format!("the packets of your SSH session, {session}, pass (with --unsafe they do not)"));
    }
}
