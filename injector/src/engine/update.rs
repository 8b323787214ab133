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
    engine::{
        EngineError, Guard, Injector, apply::at_cgroups, devices::note_covered, guard::lost_at_the_end,
        live::Live,
    },
    kernel::{
        installation::Installation,
        net::{Coverage, Side},
        syscall::for_planning,
    },
    plan::{self, Change, Plan},
    resolver::{self, Hosts},
    spec::model::Rule,
    target,
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
        let _lease = live.installation.keep_lease()?;
        let change = live.replace(rules, &outside, false)?;
        live.give_up_unneeded();
        self.refresh();
        Ok(change)
    }

    /// Gives the plan another end: so long from now, or none (`None`).
    ///
    /// # Errors
    /// The plan has been stopped meanwhile.
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
        let hosts = resolver::in_front(&self.plan.options.hosts, &outside.hosts);
        resolver::resolve(&mut rules, &hosts, self.plan.rules.iter().map(|rule| &rule.asked))?;
        let injector = Injector { rules, ..Injector::new()? };
        let backends = injector.backends();
        let live = self.installation.sites();
        for backend in
            backends.iter().filter(|backend| live.iter().any(|site| site.backend == backend.kind()))
        {
            backend.assume();
        }
        let (mut plan, mut change) = self.plan.change(
            &injector.rules,
            &outside.files,
            allow_unsafe,
            &live,
            &for_planning(&backends),
        )?;
        let ingress = plan.needs_ingress() && !self.plan.needs_ingress();
        let connect = plan.needs_connect() && !self.plan.needs_connect();
        if ingress || connect || (plan.needs_devices() && self.coverage.is_none()) {
            injector.check_packets(&plan, &self.targets)?;
        }
        if plan.delay_line != self.plan.delay_line {
            let known = plan.notes.len();
            injector.check_line(&mut plan)?;
            change.notes.extend(plan.notes.iter().skip(known).cloned());
        }
        if self.plan.inbound().is_none() {
            injector.check_inbound(&plan, &self.targets)?;
        }
        change.notes.extend(injector.check_faults(&mut plan, &self.targets)?);

        self.check_alive()?;
        // The half of the slot table that this plan goes to was the last but one's.
        Installation::settle()?;
        self.installation.fill(Some(&self.plan), &plan)?;
        let new = plan.sites.difference(&live).cloned().collect();
        let programs = self.installation.attach_calls(&new, &backends)?;
        if let Err(error) = self
            .check_alive()
            .and_then(|()| self.reach(&injector, &plan))
            .and_then(|()| self.change_faults(&plan))
        {
            self.give_up_unneeded();
            return Err(error);
        }

        self.texts.extend(change.added.iter().map(|rule| rule.text.clone()));
        for rule in &change.adjusted {
            self.texts.replace(rule.rule, rule.text.clone());
        }
        self.installation.switch(Some(&self.plan), &plan);
        self.installation.keep(programs);
        self.notes.extend(change.notes.iter().cloned());
        self.plan = Arc::new(plan);
        let listed = self.listed.changed(&self.plan, &self.targets, &self.installation);
        if let Err(error) = listed {
            // The rules act; that `ps` shows the old ones is no reason to say that they do not.
            self.notes.push(format!("the change is not listed: {error}"));
        }
        Ok(change)
    }

    /// Is it of use to go on? Whoever ends the plan need not wait for all of a change.
    fn check_alive(&self) -> Result<(), EngineError> {
        if self.installation.shared().deadline.load(Relaxed) == 0 { Err(EngineError::Ended) } else { Ok(()) }
    }

    pub(super) fn prolong(&mut self, duration: Option<Duration>) -> Result<(), EngineError> {
        let length = duration.map_or(u64::MAX, clock::nanoseconds);
        let deadline = clock::now().saturating_add(length);
        let shared = self.installation.shared();
        shared.length.store(length, Relaxed);
        // Not over the 0 that `stop` may just have put there, nor before the command is there from which it counts.
        let armed = shared.armed.load(Relaxed) != 0;
        let later = |seen| (seen != 0).then_some(if armed { deadline } else { seen });
        shared.deadline.fetch_update(AcqRel, Relaxed, later).map_err(|_| EngineError::Ended)?;
        Arc::make_mut(&mut self.plan).options.duration = duration;
        Ok(())
    }

    /// Gets to what no rule has meant so far: calls at all, packets that go in a direction.
    fn reach(&mut self, injector: &Injector, plan: &Plan) -> Result<(), EngineError> {
        if plan.needs_calls() {
            self.installation.follow_calls(&injector.btf)?;
        }
        if plan.delays_calls() {
            self.installation.begin_call_delays(plan.options.max_call_delay)?;
        }
        if plan.needs_packets() && !self.plan.needs_packets() {
            self.installation.follow_sockets(&injector.btf)?;
            self.installation.mark_sockets(&injector.btf)?;
        }
        let (installation, procfs) = (&mut self.installation, &injector.procfs);
        if plan.needs_ingress() && !self.plan.needs_ingress() {
            at_cgroups(&self.targets, procfs, |whose, cgroup| installation.attach_ingress(whose, cgroup))?;
        }
        if plan.needs_connect() && !self.plan.needs_connect() {
            at_cgroups(&self.targets, procfs, |whose, cgroup| installation.attach_connect(whose, cgroup))?;
        }
        let Some(coverage) = &mut self.coverage else {
            self.coverage = injector.cover(&self.installation, plan)?;
            return self.cover_devices();
        };
        if plan.delay_line != self.plan.delay_line
            && let Some(needs) = plan.delay_line
        {
            coverage.carry(needs, || injector.lines(&self.installation, plan.id, needs))?;
        }
        for side in injector.sides(plan, &self.targets)? {
            if !coverage.has(side) {
                let classifier = injector.classifier(&self.installation, plan, side)?;
                let events = coverage.extend(classifier, || target::processes(&self.targets))?;
                note_covered(&mut self.notes, events)?;
            }
        }
        Ok(())
    }

    /// Takes off what the plan, as it is, does not need.
    pub(super) fn give_up_unneeded(&mut self) {
        self.installation.detach_unneeded(&self.plan);
        let plan = &self.plan;
        let sides = [(Side::Egress, plan.needs_egress()), (Side::Ingress, plan.needs_ingress())];
        if let Some(coverage) = &mut self.coverage
            && sides.iter().any(|&(side, needed)| needed && coverage.has(side))
        {
            for (side, _) in sides.into_iter().filter(|&(_, needed)| !needed) {
                if coverage.has(side)
                    && let Err(error) = coverage.withdraw(side)
                {
                    self.notes.push(format!("clean-up is incomplete: {error}"));
                }
            }
            return;
        }
        match self.coverage.take().map(Coverage::remove).transpose() {
            Ok(left) => self.notes.extend(left.filter(|&left| left > 0).map(lost_at_the_end)),
            Err(error) => self.notes.push(format!("clean-up is incomplete: {error}")),
        }
    }
}
