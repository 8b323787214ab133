//! What a fault is to the engine: it says what it needs, is started, changed and stopped with the plan, and reports. The
//! model is retis' `Collector` (can_run, init, start, stop).
//!
//! The programs in the kernel ([`crate::kernel::installation`]) are not behind it yet. What they would have to do is
//! the same: `needs` is `engine::feasibility`, `start` is `engine::apply`, `change` is `engine::update`, `stop` is the end of
//! `Guard::finish`, and [`Services`] are what only they can give.

use std::fmt;

use tokio::sync::mpsc::UnboundedSender;

use crate::{
    faults::{deed::Deed, error::FaultError},
    kernel::installation::Installation,
    plan::{Options, PlannedRule},
    target::Target,
};

/// What a fault is asked to do, and to whom.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The plan's number.
    pub plan: u32,
    /// What the user said of the plan as a whole.
    pub options: &'a Options,
    /// All rules of the plan; those of other layers are none of its business.
    pub rules: &'a [PlannedRule],
    /// Whom they mean.
    pub targets: &'a [Target],
}

/// What a fault uses of the plan's installation.
#[derive(Clone, Copy)]
pub struct Services<'a> {
    /// When the plan acts, what rules count, and which processes no rule meets.
    pub installation: &'a Installation,
    /// Where the log reads what was done.
    pub log: &'a UnboundedSender<Deed>,
}

/// A layer of faults. What it does ends when it is stopped or dropped, and soon after the death of the process.
pub trait Fault: fmt::Debug + Send {
    /// Whether it can be had here, with these targets: what the user ought to know about it. Changes nothing.
    ///
    /// # Errors
    /// The first rule that cannot be had, and why.
    fn needs(&self, scene: Scene<'_>) -> Result<Vec<String>, FaultError>;

    /// Gets ready for its rules, if there are any. Nothing happens before the plan is armed.
    ///
    /// # Errors
    /// What the kernel refused; nothing is left then.
    fn start(&mut self, scene: Scene<'_>, services: Services<'_>) -> Result<(), FaultError>;

    /// Goes over to other rules or targets. A rule that keeps its number goes on.
    ///
    /// # Errors
    /// What the kernel refused; it goes on as before then.
    fn change(&mut self, scene: Scene<'_>, services: Services<'_>) -> Result<(), FaultError>;

    /// Ends it, and takes everything back.
    ///
    /// # Errors
    /// What could not be taken back.
    fn stop(&mut self) -> Result<(), FaultError>;

    /// What the user ought to know, since it was asked last. What rules count is in the counters of the installation.
    fn report(&mut self) -> Vec<String>;
}
