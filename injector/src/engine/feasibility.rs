//! Whether a plan can be had here: what the kernel can, where the targets live, and by which way the user came.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use injector_common::packet::mapped;

use crate::{
    engine::{EngineError, Injector, apply::has_tree},
    kernel::{
        net::{self, Side},
        probe::{self, kernel_config},
        syscall::{Attach, backends},
    },
    plan::{
        Plan,
        unsupported::{Mechanism, Unsupported},
    },
    spec::model::Rule,
    target::{self, Session, Target},
};

/// More calls than this, of all ABIs (one or two names have at most six), are many, see [`backends`]: `fmod_ret` loads
/// and verifies a program for each, 58 million instructions, and waits for all tasks when each is taken off.
const MANY: usize = 6;

impl Injector {
    /// Has the rules on packets leave the connection alone by which the user came, unless `--unsafe` allows it.
    pub(super) fn spare_session(&self, plan: &mut Plan) {
        if plan.options.allow_unsafe {
            return;
        }
        let Some(session) = Session::of(std::process::id(), &self.procfs) else { return };
        let end = |address: SocketAddr| match address.ip() {
            IpAddr::V4(ip) => (mapped(ip.octets()), address.port()),
            IpAddr::V6(ip) => (ip.octets(), address.port()),
        };
        plan.session = injector_common::session::Session::between(end(session.client), end(session.server));
        if plan.needs_packets() {
            plan.notes.push(format!(
                "the packets of your SSH session, {session}, pass (with --unsafe they do not)"
            ));
        }
    }

    /// Can the rules on packets be had with these targets?
    pub(super) fn check_packets(&self, plan: &Plan, targets: &[Target]) -> Result<(), EngineError> {
        if (plan.needs_egress() || plan.needs_ingress())
            && !plan.options.allow_unsafe
            && kernel_config::real_time()
        {
            let why = "this is a real-time kernel (CONFIG_PREEMPT_RT): programs on packets may interrupt each other";
            let remedy = "use a kernel without PREEMPT_RT, or allow it with --unsafe: a packet may then meet what \
                          another one was to meet";
            return Err(Unsupported::missing(Mechanism::Tcx, why, remedy).into());
        }
        let tree = has_tree(targets);
        if plan.needs_packets() && tree {
            probe::probe(Mechanism::Sockets, &self.btf)?;
        }
        if (plan.needs_ingress() || plan.needs_connect()) && tree {
            probe::probe(Mechanism::CgroupV2, &self.btf)?;
        }
        if plan.needs_ingress() {
            probe::probe(Mechanism::CgroupIngress, &self.btf)?;
        }
        if plan.needs_connect() {
            probe::probe(Mechanism::CgroupConnect, &self.btf)?;
        }
        if plan.needs_devices() {
            self.device_mechanism()?;
        }
        Ok(())
    }

    /// Can packets wait that come in? All who live where the targets do have to be targets.
    pub(super) fn check_inbound(&self, plan: &Plan, targets: &[Target]) -> Result<(), EngineError> {
        let Some(rule) = plan.inbound() else { return Ok(()) };
        let pids = || target::processes(targets);
        let mut namespaces = net::namespaces_of(pids(), &self.procfs)?;
        if namespaces.is_empty() {
            // As in [`Coverage::follow`].
            namespaces = net::namespaces_of([std::process::id()], &self.procfs)?;
        }
        let namespaces = namespaces.into_keys().collect();
        match net::shared(&namespaces, &self.procfs, pids)?.pop_first() {
            Some((_, shared)) => Err(EngineError::Inbound { rule: rule.text.clone(), shared }),
            None => Ok(()),
        }
    }

    /// The sides of devices at which a plan has packets met. What comes in and is only to be lost is met there where
    /// all that comes in is the target's, so that it means what the kernel answers as well; elsewhere at the sockets.
    pub(super) fn sides(
        &self,
        plan: &Plan,
        targets: &[Target],
    ) -> Result<impl Iterator<Item = Side>, EngineError> {
        let ingress = plan.inbound().is_some() || (plan.needs_ingress() && self.own_namespace(targets)?);
        Ok([(plan.needs_egress(), Side::Egress), (ingress, Side::Ingress)]
            .into_iter()
            .filter_map(|(needed, side)| needed.then_some(side)))
    }

    /// Is a network namespace in which they live the targets' own, and can its devices be covered?
    fn own_namespace(&self, targets: &[Target]) -> Result<bool, EngineError> {
        if self.device_mechanism().is_err() {
            return Ok(false);
        }
        let pids = || target::processes(targets);
        let namespaces: BTreeSet<_> = net::namespaces_of(pids(), &self.procfs)?.into_keys().collect();
        Ok(!namespaces.is_empty() && net::shared(&namespaces, &self.procfs, pids)?.len() < namespaces.len())
    }

    /// Can packets make their detour? Where they do so only to be taken apart, it goes without.
    pub(super) fn check_line(&self, plan: &mut Plan) -> Result<(), EngineError> {
        let Some(line) = plan.delay_line else { return Ok(()) };
        let Err(cause) = probe::probe(Mechanism::DelayLine, &self.btf) else { return Ok(()) };
        if line.queue.is_some() || line.checksums || plan.inbound().is_some() {
            return Err(cause.into());
        }
        plan.notes.push(format!(
            "packets that are several on the wire are lost, doubled and damaged as one: {cause}; {}",
            cause.remedy
        ));
        plan.delay_line = None;
        for rule in &mut plan.rules {
            rule.kernel.netem.road = 0;
        }
        Ok(())
    }

    pub(super) fn backends(&self) -> Vec<Box<dyn Attach + '_>> {
        let calls: BTreeSet<_> = self.rules.iter().flat_map(Rule::calls).collect();
        backends(&self.btf, self.fully_preemptible, calls.len() > MANY)
    }

    pub(super) fn device_mechanism(&self) -> Result<net::Mechanism, Unsupported> {
        if probe::probe(Mechanism::Tcx, &self.btf).is_ok() {
            return Ok(net::Mechanism::Tcx);
        }
        probe::probe(Mechanism::Clsact, &self.btf).map(|()| net::Mechanism::Clsact)
    }
}
