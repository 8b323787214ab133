//! Whether a plan can be had here, as far as programs in the kernel inject its faults: what the kernel can, and where the
//! targets live.

use crate::{
    faults::{error::FaultError, fault::Scene},
    kernel::{net, probe::kernel_config},
    plan::{
        Plan,
        unsupported::{Mechanism, Unsupported},
    },
    target,
};

/// See [`crate::faults::fault::Fault::needs`]. Of a live plan that changes, what it has already is not asked for again.
pub(super) fn check(plan: &mut Plan, scene: Scene<'_>) -> Result<Vec<String>, FaultError> {
    let Some(acting) = scene.acting else {
        packets(plan, scene)?;
        let notes = delay_line(plan, scene)?;
        inbound(plan, scene)?;
        return Ok(notes);
    };
    let ingress = plan.needs_ingress() && !acting.needs_ingress();
    let connect = plan.needs_connect() && !acting.needs_connect();
    if ingress || connect || (plan.needs_devices() && !acting.needs_devices()) {
        packets(plan, scene)?;
    }
    let notes = if plan.delay_line == acting.delay_line { Vec::new() } else { delay_line(plan, scene)? };
    if acting.inbound().is_none() {
        inbound(plan, scene)?;
    }
    Ok(notes)
}

/// Can the rules on packets be had with these targets?
fn packets(plan: &Plan, Scene { kernel, targets, .. }: Scene<'_>) -> Result<(), FaultError> {
    if (plan.needs_egress() || plan.needs_ingress())
        && !plan.options.allow_unsafe
        && kernel_config::real_time()
    {
        let why =
            "this is a real-time kernel (CONFIG_PREEMPT_RT): programs on packets may interrupt each other";
        let remedy = "use a kernel without PREEMPT_RT, or allow it with --unsafe: a packet may then meet what \
                      another one was to meet";
        return Err(Unsupported::missing(Mechanism::Tcx, why, remedy).into());
    }
    let tree = target::has_tree(targets);
    if plan.needs_packets() && tree {
        kernel.probe(Mechanism::Sockets)?;
    }
    if (plan.needs_ingress() || plan.needs_connect()) && tree {
        kernel.probe(Mechanism::CgroupV2)?;
    }
    if plan.needs_ingress() {
        kernel.probe(Mechanism::CgroupIngress)?;
    }
    if plan.needs_connect() {
        kernel.probe(Mechanism::CgroupConnect)?;
    }
    if plan.needs_devices() {
        kernel.device_mechanism()?;
    }
    Ok(())
}

/// Can packets wait that come in? All who live where the targets do have to be targets.
fn inbound(plan: &Plan, Scene { kernel, targets, .. }: Scene<'_>) -> Result<(), FaultError> {
    let Some(rule) = plan.inbound() else { return Ok(()) };
    let procfs = kernel.procfs();
    let pids = || target::processes(targets);
    let mut namespaces = net::namespaces_of(pids(), procfs)?;
    if namespaces.is_empty() {
        // As in [`net::Coverage::follow`].
        namespaces = net::namespaces_of([std::process::id()], procfs)?;
    }
    let namespaces = namespaces.into_keys().collect();
    match net::shared(&namespaces, procfs, pids)?.pop_first() {
        Some((_, shared)) => Err(FaultError::Inbound { rule: rule.text.clone(), shared }),
        None => Ok(()),
    }
}

/// Can packets make their detour? Where they do so only to be taken apart, it goes without, and that is said.
fn delay_line(plan: &mut Plan, Scene { kernel, .. }: Scene<'_>) -> Result<Vec<String>, FaultError> {
    let Some(line) = plan.delay_line else { return Ok(Vec::new()) };
    let Err(cause) = kernel.probe(Mechanism::DelayLine) else { return Ok(Vec::new()) };
    if line.queue.is_some() || line.checksums || plan.inbound().is_some() {
        return Err(cause.into());
    }
    plan.delay_line = None;
    for rule in &mut plan.rules {
        rule.kernel.netem.via = 0;
    }
    Ok(vec![format!(
        "packets that are several on the wire are lost, doubled and damaged as one: {cause}; {}",
        cause.remedy
    )])
}
