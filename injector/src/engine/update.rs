//! A change of a live plan without a pause: what is new is attached first, then every call and packet is
//! sent to the new rules by one store, then what nobody needs is taken off. Until that store nothing has
//! changed, so whatever fails leaves the old plan as it is.

use std::{
    sync::{
        Arc,
        atomic::Ordering::{AcqRel, Relaxed},
    },
    time::Duration,
};

use crate::{
    clock,
    distribution::Files,
    engine::{EngineError, Guard, live::Live, permission},
    faults::{self, fault::Scene},
    kernel::{live::lease::LeaseKeeper, running::RunningKernel, syscall::for_planning},
    plan::{self, Change},
    resolver::{self, Hosts},
    spec::model::Rule,
};

/// What rules mean that is not in their text. A live plan must not wait for a disk or a name server.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pub(super) files: Files,
    pub(super) hosts: Hosts,
}

impl Guard {
    /// Replaces the rules. Those that mean the same as before go on: with their number, their counters, their
    /// `times=`, and every thread's own count. New ones start at zero, the others stop and stay in the report.
    /// There is no moment in which a rule that goes on does not act. Without any rule the plan is idle.
    ///
    /// Reads files and asks for the names of hosts, which can take a while.
    ///
    /// # Errors
    /// As for a new plan, and what cannot be done without a pause; the old rules go on untouched then.
    pub fn update(&mut self, rules: Vec<Rule>) -> Result<Change, EngineError> {
        let hosts = resolver::look_up(&rules, &self.plan.options.hosts);
        let outside = Outside { files: plan::read_files(&rules)?, hosts };
        let live = self.live()?;
        let _lease = live.keep_lease()?;
        let change = live.replace(rules, &outside, false)?;
        live.release();
        self.refresh();
        Ok(change)
    }

    /// Gives the plan another end: so long from now, or none (`None`).
    ///
    /// # Errors
    /// The plan has been stopped meanwhile, or the policy forbids it.
    pub fn prolong(&mut self, duration: Option<Duration>) -> Result<(), EngineError> {
        self.live()?.prolong(duration)?;
        self.refresh();
        Ok(())
    }
}

impl Live {
    /// Everything but taking off what is no longer needed, which can take a while.
    pub(super) fn replace(
        &mut self,
        mut rules: Vec<Rule>,
        outside: &Outside,
        allow_unsafe: bool,
    ) -> Result<Change, EngineError> {
        self.check_alive()?;
        if self.plan.options.fixed {
            return Err(EngineError::Fixed { plan: self.plan.typed_id() });
        }
        let hosts = resolver::in_front(&self.plan.options.hosts, &outside.hosts);
        resolver::resolve(&mut rules, &hosts, self.plan.rules.iter().map(|rule| &rule.asked))?;
        let kernel = RunningKernel::default();
        let backends = kernel.backends(rules.iter().flat_map(Rule::calls))?;
        let live = self.faults.bpf.sites();
        for backend in
            backends.iter().filter(|backend| live.iter().any(|site| site.backend == backend.kind()))
        {
            backend.assume();
        }
        let (mut plan, mut change) =
            self.plan.change(&rules, &outside.files, allow_unsafe, &live, &for_planning(&backends))?;
        permission::check_rules(&self.policy, &plan)?;
        let acting = Arc::clone(&self.plan);
        let scene = Scene { kernel: &kernel, targets: &self.targets, acting: Some(&acting) };
        change.notes.extend(faults::needs(&mut plan, scene)?);

        self.check_alive()?;
        if let Err(error) = self.faults.change(&plan, scene) {
            self.release();
            return Err(error.into());
        }

        self.texts.extend(change.added.iter().map(|rule| rule.text.clone()));
        for rule in &change.adjusted {
            self.texts.replace(rule.rule, rule.text.clone());
        }
        self.faults.switch(&acting, &plan);
        self.notes.extend(self.faults.report());
        self.notes.extend(change.notes.iter().cloned());
        self.plan = Arc::new(plan);
        let listed = self.listed.changed(&self.plan, &self.targets, &self.faults.services().handle);
        if let Err(error) = listed {
            // The rules act; that `ps` shows the old ones is no reason to say that they do not.
            self.notes.push(format!("the change is not listed: {error}"));
        }
        Ok(change)
    }

    /// Is it of use to go on? Whoever ends the plan need not wait for all of a change.
    fn check_alive(&self) -> Result<(), EngineError> {
        if self.faults.services().handle.has_ended() { Err(EngineError::Ended) } else { Ok(()) }
    }

    pub(super) fn prolong(&mut self, duration: Option<Duration>) -> Result<(), EngineError> {
        self.policy.check_duration(duration)?;
        let length = duration.map_or(u64::MAX, clock::nanoseconds);
        let deadline = clock::now().saturating_add(length);
        let shared = self.faults.services().handle.state();
        shared.length.store(length, Relaxed);
        // Not over the 0 that `stop` may just have put there, nor before the command is there from which it counts.
        let armed = shared.armed.load(Relaxed) != 0;
        let later = |seen| (seen != 0).then_some(if armed { deadline } else { seen });
        shared.deadline.fetch_update(AcqRel, Relaxed, later).map_err(|_| EngineError::Ended)?;
        Arc::make_mut(&mut self.plan).options.duration = duration;
        Ok(())
    }

    /// Takes off what the plan, as it is, does not need.
    pub(super) fn release(&mut self) {
        self.faults.release(&self.plan);
        self.notes.extend(self.faults.report());
    }

    /// Has the lease renewed by a thread while this one is busy with the plan itself.
    fn keep_lease(&self) -> Result<LeaseKeeper, EngineError> {
        LeaseKeeper::start(self.faults.services().handle.memory()).map_err(EngineError::Worker)
    }
}
