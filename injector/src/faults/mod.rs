//! All faults that a plan can have, layer by layer, each behind the same trait ([`fault::Fault`]): those of programs in the
//! kernel ([`bpf`]), and those that user space does beside them, with the rules, numbers, counters, log and end of the
//! plan that they belong to.

pub mod bpf;
pub mod deed;
mod error;
pub mod fault;
mod process;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::sync::mpsc::UnboundedSender;

pub use self::error::FaultError;
pub(crate) use self::error::behind;
use self::{
    bpf::BpfFaults,
    deed::Deed,
    fault::{Fault, Scene, Services},
    process::ProcessFaults,
};
use crate::{kernel::rights::Ceiling, plan::Plan, target::Target};

/// All layers of a live plan. They start in order, the programs in the kernel first, and stop in the reverse order, also
/// when this is dropped.
#[derive(Debug)]
pub(crate) struct Faults {
    user_space: Vec<Box<dyn Fault>>,
    pub(crate) bpf: BpfFaults,
    services: Services,
}

/// Can the plan be had, with all that its rules ask for? Gives what the user ought to know about it that the plan does not
/// say already.
pub(crate) fn needs(plan: &mut Plan, scene: Scene<'_>) -> Result<Vec<String>, FaultError> {
    let mut new = Vec::new();
    for needs in [BpfFaults::needs, ProcessFaults::needs] {
        let notes = needs(plan, scene)?;
        new.extend(notes.into_iter().filter(|note| !plan.notes.contains(note)));
    }
    plan.notes.extend(new.iter().cloned());
    Ok(new)
}

impl Faults {
    /// All that there are, none of them begun but the programs in the kernel, which the others get their services from.
    pub(crate) fn new(bpf: BpfFaults, log: UnboundedSender<Deed>) -> Self {
        let services = Services { handle: bpf.handle().clone(), log, ceiling: Ceiling::default() };
        Self { user_space: vec![Box::new(ProcessFaults::new(services.clone()))], bpf, services }
    }

    /// What they use of the programs in the kernel.
    pub(crate) fn services(&self) -> &Services {
        &self.services
    }

    fn each(&mut self) -> impl DoubleEndedIterator<Item = &mut dyn Fault> {
        let user_space = self.user_space.iter_mut().map(|fault| &mut **fault as &mut dyn Fault);
        std::iter::once(&mut self.bpf as &mut dyn Fault).chain(user_space)
    }

    /// Gets them ready.
    pub(crate) fn start(&mut self, plan: &Plan, scene: Scene<'_>) -> Result<(), FaultError> {
        self.each().try_for_each(|fault| fault.start(plan, scene))
    }

    /// Gets them ready for another plan. [`Self::release`] takes it back if they cannot have it.
    pub(crate) fn change(&mut self, plan: &Plan, scene: Scene<'_>) -> Result<(), FaultError> {
        self.each().try_for_each(|fault| fault.change(plan, scene))
    }

    /// From here on they do what the rules of `plan` say.
    pub(crate) fn switch(&mut self, acting: &Plan, plan: &Plan) {
        self.each().for_each(|fault| fault.switch(acting, plan));
    }

    /// Gives up what the plan that acts does not need.
    pub(crate) fn release(&mut self, acting: &Plan) {
        self.each().for_each(|fault| fault.release(acting));
    }

    /// Has them look after themselves, every `period`.
    pub(crate) fn tend(&mut self, targets: &[Target], period: Duration) -> Result<(), FaultError> {
        self.each().try_for_each(|fault| fault.tend(targets, period))
    }

    /// Has those of user space follow a target that is another one now; the programs in the kernel do already.
    pub(crate) fn follow(&mut self, plan: &Plan, scene: Scene<'_>) -> Result<(), FaultError> {
        self.user_space.iter_mut().try_for_each(|fault| fault.change(plan, scene))
    }

    /// What they have to say.
    pub(crate) fn report(&mut self) -> Vec<String> {
        self.each().flat_map(Fault::report).collect()
    }

    /// Ends them all, whatever comes of each. Gives what they have to say, and whether all was taken back.
    pub(crate) fn stop(&mut self, stays: bool) -> (Vec<String>, bool) {
        let (mut notes, mut clean) = (Vec::new(), true);
        for fault in self.each().rev() {
            let stopped = fault.stop(stays);
            notes.extend(fault.report());
            if let Err(error) = stopped {
                clean = false;
                notes.push(format!("clean-up is incomplete: {error}"));
            }
        }
        (notes, clean)
    }
}

/// Undoes what injectors left at `cgroups` that could not do it themselves, nor have it done; not what plans do for which
/// `lives` holds. Gives what was undone, and what could not be.
pub(crate) fn sweep<'a>(
    cgroups: impl IntoIterator<Item = &'a Path>,
    lives: impl Fn(u32) -> bool,
) -> (Vec<PathBuf>, Vec<String>) {
    process::mark::undo_all(cgroups, |plan| !lives(plan))
}
