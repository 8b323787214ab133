//! What a fault is to the engine: a layer that says what it needs, is started, changed and stopped with the plan, and
//! reports. The model is retis' `Collector` (can_run, init, start, stop).
//!
//! A new layer is a folder beside `bpf` and `process` with a type that implements [`Fault`], and two
//! lines in [`super`]: one where all are asked what they need, one where all are made. It is given [`Services`] when it
//! is made, and needs nothing else of the programs in the kernel.

use std::{fmt, time::Duration};

use tokio::sync::mpsc::UnboundedSender;

use crate::{
    faults::{deed::Deed, error::FaultError},
    kernel::{installation::Handle, rights::Ceiling, running::RunningKernel},
    plan::Plan,
    target::Target,
};

/// Where a plan is to act.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The kernel.
    pub kernel: &'a RunningKernel,
    /// Whom the plan means.
    pub targets: &'a [Target],
    /// The plan that acts meanwhile, if it is a live one that is to change.
    pub acting: Option<&'a Plan>,
}

/// What a fault of user space uses of the programs in the kernel.
#[derive(Clone, Debug)]
pub struct Services {
    /// When the plan acts, what rules count, and which processes no rule meets.
    pub handle: Handle,
    /// Where the log reads what was done.
    pub log: UnboundedSender<Deed>,
    /// What its threads may do.
    pub(crate) ceiling: Ceiling,
}

/// A layer of faults. What it does ends when it is stopped or dropped, and soon after the death of the process.
///
/// A plan has the rules of all layers; those of others are none of its business.
pub trait Fault: fmt::Debug + Send {
    /// Can the plan be had there? Gives what the user ought to know about it, and takes out of the plan what that can go
    /// without. Changes nothing else.
    ///
    /// # Errors
    /// The first rule that cannot be had, and why.
    fn needs(plan: &mut Plan, scene: Scene<'_>) -> Result<Vec<String>, FaultError>
    where
        Self: Sized;

    /// Gets ready for its rules, if there are any. The plan is listed by now, so that nobody takes what is begun here for
    /// the leftovers of a dead one; but nothing happens before it is armed.
    ///
    /// # Errors
    /// What the kernel refused; nothing is left then.
    fn start(&mut self, plan: &Plan, scene: Scene<'_>) -> Result<(), FaultError>;

    /// Goes over to the rules of another plan, or gets ready to, if that has to wait for [`Self::switch`]. A rule that
    /// keeps its number goes on. The same plan comes again when a target is another one.
    ///
    /// # Errors
    /// What the kernel refused; it goes on as before then, when [`Self::release`] was called.
    fn change(&mut self, plan: &Plan, scene: Scene<'_>) -> Result<(), FaultError>;

    /// All are ready: from here on the rules of `plan` act, and those that only `acting` has no longer.
    fn switch(&mut self, _acting: &Plan, _plan: &Plan) {}

    /// Gives up what the plan that acts does not need. This can take a while.
    fn release(&mut self, _acting: &Plan) {}

    /// Looks after itself, every `period`.
    ///
    /// # Errors
    /// It cannot go on, and the plan ought to end.
    fn tend(&mut self, _targets: &[Target], _period: Duration) -> Result<(), FaultError> {
        Ok(())
    }

    /// Ends it, and takes everything back. `stays`: will this process go on for long? Else the kernel may be left to do
    /// what it does when the process has ended.
    ///
    /// # Errors
    /// What could not be taken back.
    fn stop(&mut self, stays: bool) -> Result<(), FaultError>;

    /// What the user ought to know, since it was asked last. What rules count is in the plan's counters.
    fn report(&mut self) -> Vec<String>;
}
