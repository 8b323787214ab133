//! A change of a live plan without a pause: what is new is attached first, then every call and packet is sent to the new
//! rules by one store, then what nobody needs is taken off. Until that store nothing has changed.

use crate::{
    faults::{
        bpf::{
            BpfFaults,
            attach::at_cgroups,
            cover::{classifier, lines, load, sides},
        },
        error::FaultError,
        fault::Scene,
    },
    kernel::{
        installation::Installation,
        net::{Coverage, Side},
    },
    plan::Plan,
    target,
};

impl BpfFaults {
    /// Attaches what is new; no call and no packet meets it yet.
    pub(super) fn prepare_change(&mut self, plan: &Plan, scene: Scene<'_>) -> Result<(), FaultError> {
        // The half of the slot table that this plan goes to was the last but one's.
        Installation::settle()?;
        self.installation.fill(scene.acting, plan)?;
        let new = plan.sites.difference(&self.installation.sites()).cloned().collect();
        let backends = scene.kernel.backends(plan.rules.iter().flat_map(|rule| rule.asked.calls()))?;
        self.prepared = self.installation.attach_calls(&new, &backends)?;
        // Whoever ends the plan need not wait for all of a change.
        if self.handle().has_ended() {
            return Err(FaultError::Ended);
        }
        self.reach(plan, scene)
    }

    /// Gets to what no rule has meant so far: calls at all, packets that go in a direction.
    fn reach(&mut self, plan: &Plan, scene: Scene<'_>) -> Result<(), FaultError> {
        let Scene { kernel, targets, acting } = scene;
        let new = |needs: fn(&Plan) -> bool| needs(plan) && !acting.is_some_and(needs);
        if plan.needs_calls() {
            self.installation.follow_calls(kernel.btf()?)?;
        }
        if plan.delays_calls() {
            self.installation.begin_call_delays(plan.options.max_call_delay)?;
        }
        if new(Plan::needs_packets) {
            self.installation.follow_sockets(kernel.btf()?)?;
            self.installation.mark_sockets(kernel.btf()?)?;
        }
        let installation = &mut self.installation;
        if new(Plan::needs_ingress) {
            at_cgroups(targets, kernel.procfs(), |whose, cgroup| installation.attach_ingress(whose, cgroup))?;
        }
        if new(Plan::needs_connect) {
            at_cgroups(targets, kernel.procfs(), |whose, cgroup| installation.attach_connect(whose, cgroup))?;
        }
        let Some(coverage) = &mut self.coverage else {
            self.coverage = load(installation, plan, scene)?;
            return self.cover_devices(targets);
        };
        if let Some(needs) =
            plan.delay_line.filter(|&needs| acting.and_then(|acting| acting.delay_line) != Some(needs))
        {
            coverage.carry(needs, || lines(installation, plan.id, needs, kernel))?;
        }
        for side in sides(plan, kernel, targets)? {
            if !coverage.has(side) {
                let classifier = classifier(installation, plan, side, kernel)?;
                let events = coverage.extend(classifier, || target::processes(targets))?;
                self.notes.add_covered(events)?;
            }
        }
        Ok(())
    }

    /// Takes off what the plan, as it is, does not need.
    pub(super) fn give_up_unneeded(&mut self, plan: &Plan) {
        self.installation.detach_unneeded(plan);
        // Left of a change that was not made.
        self.prepared.clear();
        let sides = [(Side::Egress, plan.needs_egress()), (Side::Ingress, plan.needs_ingress())];
        if let Some(coverage) = &mut self.coverage
            && sides.iter().any(|&(side, needed)| needed && coverage.has(side))
        {
            for (side, _) in sides.into_iter().filter(|&(_, needed)| !needed) {
                if coverage.has(side)
                    && let Err(error) = coverage.withdraw(side)
                {
                    self.notes.add(format!("clean-up is incomplete: {error}"));
                }
            }
            return;
        }
        match self.coverage.take().map(Coverage::remove).transpose() {
            Ok(left) => self.notes.add_lost(left),
            Err(error) => self.notes.add(format!("clean-up is incomplete: {error}")),
        }
    }
}
