//! A live plan and all that it takes to look after it. What is done here can take a while (a change loads programs, a
//! device that comes is covered), so the [`super::guard`] has it done by a thread of its own.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::sync::mpsc::UnboundedSender;

use crate::{
    engine::{devices::note_devices, end::End, error::EngineError, listed::Listed, presence::Presence},
    faults::{self, deed::Deed, fault::Fault},
    kernel::{installation::Installation, net::Coverage},
    plan::Plan,
    target::Target,
};

/// How often the lease is renewed and the targets are looked at.
pub(super) const TICK: Duration = Duration::from_millis(500);

/// A live plan with its targets and all that is attached for it.
pub(super) struct Live {
    /// What user space does beside the installation. First, so that it ends first.
    pub(super) faults: Vec<Box<dyn Fault>>,
    pub(super) plan: Arc<Plan>,
    pub(super) targets: Vec<Target>,
    pub(super) presence: Presence,
    /// Only the targets are due: a cgroup has come or gone.
    pub(super) hurry: bool,
    pub(super) coverage: Option<Coverage>,
    pub(super) texts: Texts,
    /// What the user ought to know. It only grows.
    pub(super) notes: Vec<String>,
    pub(super) installation: Installation,
    pub(super) listed: Listed,
    pub(super) aborted: Option<String>,
    /// Where they tell the log.
    pub(super) deeds: UnboundedSender<Deed>,
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
        presence: Presence,
        installation: Installation,
        coverage: Option<Coverage>,
        listed: Listed,
        deeds: UnboundedSender<Deed>,
    ) -> Self {
        let texts = Texts::default();
        texts.extend(plan.rules.iter().map(|rule| rule.text.clone()));
        Self {
            notes: plan.notes.clone(),
            plan: Arc::new(plan),
            targets,
            presence,
            hurry: false,
            coverage,
            texts,
            installation,
            listed,
            aborted: None,
            faults: faults::all(),
            deeds,
        }
    }

    /// What is due twice a second, but for the lease and the deadline.
    pub(super) fn turn(&mut self) -> Result<Option<End>, EngineError> {
        self.installation.say_messages();
        let over = self.look_at_targets();
        if std::mem::take(&mut self.hurry) {
            return Ok(over.then_some(End::TargetsGone));
        }
        if let Err(lost) = self.installation.tend_call_delays(TICK) {
            self.aborted = Some(lost.to_string());
            return Ok(Some(End::DelaysLost(lost)));
        }
        let events = self.look_at_devices()?;
        note_devices(&mut self.notes, events);
        self.serve();
        self.note_faults();
        Ok(over.then_some(End::TargetsGone))
    }
}
