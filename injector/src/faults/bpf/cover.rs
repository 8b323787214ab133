//! The devices of a live plan's targets: covered at the beginning, and looked for as they come and go.

use std::collections::BTreeSet;

use crate::{
    faults::{bpf::BpfFaults, error::FaultError, fault::Scene},
    kernel::{
        installation::Installation,
        net::{self, Classifier, Coverage, Event, Lines, Side},
        running::RunningKernel,
    },
    plan::{DelayLine, Plan},
    target::{self, Target},
};

/// Loads the packet programs for the devices of the targets; none is covered yet.
pub(super) fn load(
    installation: &Installation,
    plan: &Plan,
    Scene { kernel, targets, .. }: Scene<'_>,
) -> Result<Option<Coverage>, FaultError> {
    let sides: Vec<_> = sides(plan, kernel, targets)?.collect();
    if sides.is_empty() {
        return Ok(None);
    }
    let sides = sides.into_iter().map(|side| classifier(installation, plan, side, kernel));
    let classifiers = sides.collect::<Result<_, _>>()?;
    let lines = plan.delay_line.map(|needs| lines(installation, plan.id, needs, kernel)).transpose()?;
    Ok(Some(Coverage::new(classifiers, lines, kernel.procfs().clone())))
}

/// The sides of devices at which a plan has packets met. What comes in and is only to be lost is met there where
/// all that comes in is the target's, so that it means what the kernel answers as well; elsewhere at the sockets.
pub(super) fn sides(
    plan: &Plan,
    kernel: &RunningKernel,
    targets: &[Target],
) -> Result<impl Iterator<Item = Side> + use<>, FaultError> {
    let ingress = plan.inbound().is_some() || (plan.needs_ingress() && own_namespace(kernel, targets)?);
    Ok([(plan.needs_egress(), Side::Egress), (ingress, Side::Ingress)]
        .into_iter()
        .filter_map(|(needed, side)| needed.then_some(side)))
}

/// Is a network namespace in which they live the targets' own, and can its devices be covered?
fn own_namespace(kernel: &RunningKernel, targets: &[Target]) -> Result<bool, FaultError> {
    if kernel.device_mechanism().is_err() {
        return Ok(false);
    }
    let pids = || target::processes(targets);
    let namespaces: BTreeSet<_> = net::namespaces_of(pids(), kernel.procfs())?.into_keys().collect();
    Ok(!namespaces.is_empty() && net::shared(&namespaces, kernel.procfs(), pids)?.len() < namespaces.len())
}

/// The packet program for a side of devices.
pub(super) fn classifier(
    installation: &Installation,
    plan: &Plan,
    side: Side,
    kernel: &RunningKernel,
) -> Result<Classifier, FaultError> {
    let mechanism = kernel.device_mechanism()?;
    let program = installation.classifier(side, mechanism == net::Mechanism::Clsact)?;
    Ok(Classifier { program, side, mechanism, plan: u64::from(plan.id) })
}

/// The delay lines of a plan, none of them laid yet.
pub(super) fn lines(
    installation: &Installation,
    plan: u32,
    needs: DelayLine,
    kernel: &RunningKernel,
) -> Result<Lines, FaultError> {
    Ok(Lines::new(plan, needs, kernel.device_mechanism()?, installation.delay_line_programs()?)?)
}

impl BpfFaults {
    /// Covers the devices of the targets before a rule on packets acts.
    ///
    /// # Errors
    /// There is one that cannot be covered.
    pub(super) fn cover_devices(&mut self, targets: &[Target]) -> Result<(), FaultError> {
        let events = self.look_at_devices(targets)?;
        Ok(self.notes.add_covered(events)?)
    }

    /// Looks for network namespaces and devices that have come or gone.
    pub(super) fn look_at_devices(&mut self, targets: &[Target]) -> Result<Vec<Event>, FaultError> {
        let Some(coverage) = &mut self.coverage else { return Ok(Vec::new()) };
        let mut pids = Vec::new();
        for target in targets {
            match target.pids() {
                Ok(more) => pids.extend(more),
                // Taken for empty, its namespaces would be given up; the next look may know better.
                Err(error) if !target.is_gone() => {
                    tracing::warn!(%error, "cannot list a target's processes");
                    return Ok(Vec::new());
                }
                Err(_) => {}
            }
        }
        Ok(coverage.follow(pids, || target::processes(targets))?)
    }
}
