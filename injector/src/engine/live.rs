//! A live plan and all that it takes to look after it. What is done here can take a while (a change loads programs, a
//! device that comes is covered), so the [`super::guard`] has it done by a thread of its own.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use crate::{
    engine::{end::End, error::EngineError, listed::Listed, presence::Presence},
    faults::{FaultError, Faults, fault::Scene},
    kernel::running::RunningKernel,
    plan::Plan,
    policy::Policy,
    target::Target,
};

/// How often the lease is renewed and the targets are looked at.
pub(super) const TICK: Duration = Duration::from_millis(500);

/// A live plan with its targets and all that is attached for it.
pub(super) struct Live {
    /// All that acts.
    pub(super) faults: Faults,
    pub(super) plan: Arc<Plan>,
    pub(super) targets: Vec<Target>,
    /// As it was when the plan began: a live plan does not wait for a file.
    pub(super) policy: Policy,
    pub(super) presence: Presence,
    /// Only the targets are due: a cgroup has come or gone.
    pub(super) hurry: bool,
    pub(super) texts: Texts,
    /// What the user ought to know. It only grows.
    pub(super) notes: Vec<String>,
    pub(super) listed: Listed,
    pub(super) aborted: Option<String>,
}

/// The texts of all rules that the plan has or has had, by number: whoever reads events needs them as well.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts(Arc<RwLock<Vec<String>>>);

impl Texts {
    /// Adds those of new rules, before they act.
    pub(super) fn extend(&self, texts: impl IntoIterator<Item = String>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(texts);
    }

    /// Has a rule that goes on with other numbers told so.
    pub(super) fn replace(&self, number: u32, text: String) {
        let mut texts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = texts.get_mut(number as usize) {
            *old = text;
        }
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&[String]) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Live {
    pub(super) fn new(
        plan: Plan,
        targets: Vec<Target>,
        policy: Policy,
        presence: Presence,
        faults: Faults,
        listed: Listed,
    ) -> Self {
        let texts = Texts::default();
        texts.extend(plan.rules.iter().map(|rule| rule.text.clone()));
        Self {
            notes: plan.notes.clone(),
            plan: Arc::new(plan),
            targets,
            policy,
            presence,
            hurry: false,
            texts,
            listed,
            aborted: None,
            faults,
        }
    }

    /// Gets all that acts ready; it does when the plan is armed.
    pub(super) fn start(&mut self, kernel: &RunningKernel) -> Result<(), EngineError> {
        self.faults.start(&self.plan, Scene { kernel, targets: &self.targets, acting: None })?;
        self.notes.extend(self.faults.report());
        Ok(())
    }

    /// What is due twice a second, but for the lease and the deadline.
    pub(super) fn turn(&mut self) -> Result<Option<End>, EngineError> {
        self.faults.bpf.say_messages();
        let over = self.look_at_targets();
        if std::mem::take(&mut self.hurry) {
            return Ok(over.then_some(End::TargetsGone));
        }
        match self.faults.tend(&self.targets, TICK) {
            Ok(()) => {}
            Err(FaultError::DelaysLost(lost)) => {
                self.aborted = Some(lost.to_string());
                return Ok(Some(End::DelaysLost(lost)));
            }
            Err(error) => return Err(error.into()),
        }
        self.serve();
        self.notes.extend(self.faults.report());
        Ok(over.then_some(End::TargetsGone))
    }
}
