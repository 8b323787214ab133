//! The faults that user space does ([`crate::faults`]), in the course of a plan: asked what they need, started before the
//! plan is armed, changed with its rules and targets, stopped with it.

use crate::{
    engine::{EngineError, Injector, live::Live},
    faults::{
        self, FaultError,
        fault::{Scene, Services},
    },
    plan::Plan,
    target::Target,
};

fn scene<'a>(plan: &'a Plan, targets: &'a [Target]) -> Scene<'a> {
    Scene { plan: plan.id, options: &plan.options, rules: &plan.rules, targets }
}

impl Injector {
    /// Can all that the rules ask of user space be had with these targets? What the user ought to know of it is noted;
    /// what is new of that comes back.
    #[expect(clippy::unused_self, reason = "it is asked like all the others: can this plan be had?")]
    pub(super) fn check_faults(
        &self,
        plan: &mut Plan,
        targets: &[Target],
    ) -> Result<Vec<String>, EngineError> {
        let mut new = Vec::new();
        for fault in faults::all() {
            let notes = fault.needs(scene(plan, targets))?;
            new.extend(notes.into_iter().filter(|note| !plan.notes.contains(note)));
        }
        plan.notes.extend(new.iter().cloned());
        Ok(new)
    }
}

impl Live {
    /// Gets them ready.
    pub(super) fn start_faults(&mut self) -> Result<(), EngineError> {
        let Self { faults, plan, targets, installation, deeds, .. } = self;
        let services = Services { installation, log: deeds };
        Ok(faults.iter_mut().try_for_each(|fault| fault.start(scene(plan, targets), services))?)
    }

    /// Has them go over to the rules of `plan`.
    pub(super) fn change_faults(&mut self, plan: &Plan) -> Result<(), EngineError> {
        let Self { faults, targets, installation, deeds, .. } = self;
        let services = Services { installation, log: deeds };
        Ok(faults.iter_mut().try_for_each(|fault| fault.change(scene(plan, targets), services))?)
    }

    /// Notes what they have to say.
    pub(super) fn note_faults(&mut self) {
        self.notes.extend(self.faults.iter_mut().flat_map(|fault| fault.report()));
    }

    /// Ends them all, whatever comes of each; the first that could not.
    pub(super) fn stop_faults(&mut self) -> Result<(), FaultError> {
        let stopped: Vec<_> = self.faults.iter_mut().map(|fault| fault.stop()).collect();
        self.note_faults();
        stopped.into_iter().collect()
    }
}
