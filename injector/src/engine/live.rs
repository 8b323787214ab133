//! A live plan and all that it takes to look after it. What is done here can take a while (a change loads programs, a
//! device that comes is covered), so the [`super::guard`] has it done by a thread of its own.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock, atomic::Ordering::Relaxed},
};

use super::{End, EngineError, devices::note_devices, guard::TICK, listed::Listed};
use crate::{
    kernel::{installation::Installation, packet::Coverage},
    plan::Plan,
    target::Target,
};

/// See the module.
pub(super) struct Live {
    pub(super) plan: Arc<Plan>,
    pub(super) targets: Vec<Target>,
    gone: BTreeSet<usize>,
    pub(super) coverage: Option<Coverage>,
    pub(super) texts: Texts,
    /// What the user ought to know. It only grows.
    pub(super) notes: Vec<String>,
    pub(super) installation: Installation,
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

    pub(super) fn read<T>(&self, read: impl FnOnce(&[String]) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Live {
    pub(super) fn new(
        plan: Plan,
        targets: Vec<Target>,
        installation: Installation,
        coverage: Option<Coverage>,
        listed: Listed,
    ) -> Self {
        let texts = Texts::default();
        texts.extend(plan.rules.iter().map(|rule| rule.text.clone()));
        Self {
            notes: plan.notes.clone(),
            plan: Arc::new(plan),
            targets,
            gone: BTreeSet::new(),
            coverage,
            texts,
            installation,
            listed,
            aborted: None,
        }
    }

    /// What is due twice a second, but for the lease and the deadline.
    pub(super) fn turn(&mut self) -> Result<Option<End>, EngineError> {
        if let Err(lost) = self.installation.tend_naps(TICK) {
            self.aborted = Some(lost.to_string());
            return Ok(Some(End::DelaysLost(lost)));
        }
        let events = self.look_at_devices()?;
        note_devices(&mut self.notes, events);
        self.serve();
        Ok(self.targets_gone().then_some(End::TargetsGone))
    }

    /// Notes targets that went away; true when none is left.
    fn targets_gone(&mut self) -> bool {
        let tree_lives = self.installation.shared().live.load(Relaxed) > 0;
        for (number, target) in self.targets.iter().enumerate() {
            let gone = match target {
                Target::Process(_) => target.is_gone() && !tree_lives,
                Target::Cgroup(_) => target.is_gone(),
            };
            if gone && self.gone.insert(number) {
                self.notes.push(format!("the target {} went away", target.describe()));
            }
        }
        self.gone.len() == self.targets.len()
    }
}
