//! The public face: an [`Injector`] is told whom and what, makes a plan, and applies it. The [`Guard`]
//! that comes back is the fault: as long as it lives the rules act, and dropping it, or dying, ends them.

mod called;
pub mod control;
mod end;
mod error;
mod events;
mod expectation;
mod folders;
mod guard;
mod listed;
mod live;
mod object;
mod permission;
mod presence;
mod privileges;
mod report;
pub mod request;
mod returns;
mod session;
mod sweep;
mod update;
mod watch;
mod worker;

pub use self::{
    end::End,
    error::{Blame, EngineError},
    events::{CallRecord, PacketRecord, ProcessRecord, Record, TaskRecord, Verdict},
    expectation::{Comparison, Counter, Expectation, ExpectationError, Unmet},
    guard::Guard,
    object::ObjectRecord,
    report::{DelayReport, DelayStep, PacketsReport, Report, RuleReport},
    sweep::{Swept, sweep},
};
use std::{collections::BTreeSet, path::PathBuf};

use injector_common::packet::{PACKET_MARKS, packet_mark};

use crate::{
    engine::session::spare_session,
    faults::{self, bpf::BpfFaults, fault::Scene},
    kernel::{live::registry, running::RunningKernel, syscall::for_planning},
    plan::{self, Options, Plan, PlanError, unsupported::Mechanism},
    policy::Policy,
    resolver,
    spec::model::Rule,
    target::Target,
};

/// When the rules begin to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At once.
    Now,
    /// When a process in a target cgroup returns from execve: the command of `run`.
    AtExec,
    /// When [`Guard::begin`] is called. A process in a target cgroup that has returned from execve before, the command of
    /// `run`, is then the first of its tree as with [`Self::AtExec`].
    WhenTold,
}

/// Whom and what, before anything is done.
pub struct Injector {
    kernel: RunningKernel,
    rules: Vec<Rule>,
    targets: Vec<Target>,
}

impl Injector {
    /// Reads the kernel's types; changes nothing.
    ///
    /// # Errors
    /// The kernel has no type information.
    pub fn new() -> Result<Self, EngineError> {
        let kernel = RunningKernel::default();
        kernel.btf()?;
        Ok(Self { kernel, rules: Vec::new(), targets: Vec::new() })
    }

    /// Adds a rule; rules act in the order in which they are added.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds a target.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Makes the rules concrete for this kernel. Tries mechanisms by attaching programs that change
    /// nothing; leaves nothing attached.
    ///
    /// # Errors
    /// What the kernel, or the kind of target, cannot do, and what the policy forbids.
    pub fn plan(&self, options: Options) -> Result<Plan, EngineError> {
        // First, since it is what every plan needs: whoever may do this may do the rest.
        self.kernel.probe(Mechanism::ProcessTree)?;
        let backends = self.kernel.backends(self.rules.iter().flat_map(Rule::calls))?;
        if self.rules.is_empty() && options.repertoire.is_empty() {
            return Err(PlanError::NoRules.into());
        }
        let (mut rules, mut options) = (self.rules.clone(), options);
        let all = || rules.iter().chain(&options.repertoire);
        let (files, hosts) = (plan::read_files(all())?, resolver::look_up(all(), &options.hosts));
        resolver::resolve(&mut rules, &hosts, [])?;
        resolver::resolve(&mut options.repertoire, &hosts, [])?;
        let mut plan = Plan::new(&rules, &files, options, fresh_id()?, &for_planning(&backends))?;
        plan.notes.extend(folders::notes(&rules, self.root_directories()));
        spare_session(&mut plan, self.kernel.procfs());
        faults::needs(&mut plan, self.scene())?;
        self.permit(&plan)?;
        Ok(plan)
    }

    /// Applies the plan, whole or not at all. To be called in a tokio runtime.
    ///
    /// # Errors
    /// Whatever failed; nothing is left attached then.
    pub fn apply(self, mut plan: Plan, start: Start) -> Result<Guard, EngineError> {
        // Once more: all targets are known only now, and whoever has the plan may have changed it.
        let policy = self.permit(&plan)?;
        let bpf = BpfFaults::attach(&mut plan, self.scene(), start != Start::Now)?;
        Guard::start(plan, self.targets, policy, &self.kernel, bpf, start)
    }

    /// Is the plan permitted by this machine's policy? Gives the policy.
    fn permit(&self, plan: &Plan) -> Result<Policy, EngineError> {
        let policy = Policy::read()?.unwrap_or_default();
        permission::check(&policy, plan, &self.targets, self.kernel.procfs())?;
        Ok(policy)
    }

    /// Where a plan is to act.
    fn scene(&self) -> Scene<'_> {
        Scene { kernel: &self.kernel, targets: &self.targets, acting: None }
    }

    /// Those of the targets: paths begin there.
    fn root_directories(&self) -> Vec<PathBuf> {
        let first = |target: &Target| target.pids().ok()?.first().copied();
        let root = |pid| self.kernel.procfs().path(format!("{pid}/root"));
        let roots: Vec<_> = self.targets.iter().filter_map(first).map(root).collect();
        // That of a command is ours.
        if roots.is_empty() { vec!["/".into()] } else { roots }
    }
}

/// A plan's number: random, so that two injectors need not talk; short enough to type.
fn fresh_id() -> Result<u32, EngineError> {
    let live = registry::live_plans().unwrap_or_default();
    let live = live.iter().filter_map(|plan| u32::try_from(plan.header.plan).ok()).collect();
    loop {
        let [_, _, _, _, a, b, c, d] = random_u64()?.to_ne_bytes();
        let id = u32::from_ne_bytes([a, b, c, d]);
        if is_free(id, &live) {
            return Ok(id);
        }
    }
}

/// May a new plan be called `id` beside the `live` ones? Its packets have to be told from theirs, as long as there are
/// marks for all.
fn is_free(id: u32, live: &BTreeSet<u32>) -> bool {
    let marks: BTreeSet<u32> = live.iter().copied().map(packet_mark).collect();
    let marked = marks.len() >= PACKET_MARKS as usize || !marks.contains(&packet_mark(id));
    id != 0 && marked && !live.contains(&id)
}

/// Eight bytes of the kernel's randomness.
///
/// # Errors
/// [`EngineError::Random`] if `/dev/urandom` cannot be read.
pub fn random_u64() -> Result<u64, EngineError> {
    use std::io::Read as _;
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(EngineError::Random)?;
    Ok(u64::from_ne_bytes(bytes))
}

impl From<PlanError> for EngineError {
    fn from(error: PlanError) -> Self {
        Self::Plan(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_have_marks_of_their_own_until_all_are_taken() {
        let mut live = BTreeSet::new();
        let mut candidate = 1_u32;
        while live.len() < 3 * PACKET_MARKS as usize {
            // A generator of full period (Numerical Recipes): every number comes.
            candidate = candidate.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if !is_free(candidate, &live) {
                continue;
            }
            live.insert(candidate);
            let marks: BTreeSet<u32> = live.iter().copied().map(packet_mark).collect();
            assert_eq!(marks.len(), live.len().min(PACKET_MARKS as usize), "{live:?}");
        }
        assert!(!is_free(0, &BTreeSet::new()));
        assert!(!is_free(candidate, &live));
    }
}
