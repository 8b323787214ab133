//! A plan is applied: whom it means is marked, then the programs are attached, whole or not at all.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
};

use crate::{
    engine::{EngineError, Guard, Injector, Start, cgroup_tree::add_tree, process_tree},
    kernel::{
        installation::{InstallError, Installation, Subjects, cgroups::Whose},
        net::{self, Classifier, Coverage, Lines, Side},
    },
    plan::{DelayLine, Plan},
    target::{self, Hierarchy, Init, Process, Procfs, Target},
};

impl Injector {
    /// Applies the plan, whole or not at all. To be called in a tokio runtime.
    ///
    /// # Errors
    /// Whatever failed; nothing is left attached then.
    pub fn apply(self, mut plan: Plan, start: Start) -> Result<Guard, EngineError> {
        let subjects = Subjects {
            cgroups: self.targets.iter().any(|target| target.as_cgroup().is_some()),
            processes: has_tree(&self.targets),
            command: start != Start::Now,
        };
        let mut installation = Installation::prepare(&plan, subjects, &self.btf)?;
        self.exempt(&installation, &plan)?;
        if plan.delays_calls() {
            installation.begin_call_delays(plan.options.max_call_delay)?;
        }
        if plan.needs_packets() {
            installation.follow_sockets(&self.btf)?;
        }
        // Processes first: a fork in a target cgroup gives the child a state, and one that has a state
        // could no longer be marked.
        for (target, number) in self.targets.iter().zip(0..) {
            if let Target::Process(process) = target {
                process_tree::mark_tree(&installation, process, number, &self.procfs)?;
            }
        }
        let cgroups =
            || self.targets.iter().zip(0..).filter_map(|(target, n)| Some((target.as_cgroup()?, n)));
        for (cgroup, number) in cgroups() {
            add_tree(&installation, cgroup, number)?;
        }
        if plan.needs_ingress() {
            at_cgroups(&self.targets, &self.procfs, |whose, cgroup| {
                installation.attach_ingress(whose, cgroup)
            })?;
        }
        if plan.needs_connect() {
            at_cgroups(&self.targets, &self.procfs, |whose, cgroup| {
                installation.attach_connect(whose, cgroup)
            })?;
        }
        let coverage = self.cover(&installation, &plan)?;
        let programs = installation.attach_calls(&plan.sites, &self.backends())?;
        installation.keep(programs);
        // Last, so that a socket that was made before all this has been opened by now.
        if plan.needs_packets() {
            installation.mark_sockets(&self.btf)?;
            if subjects.cgroups && !subjects.command {
                plan.notes.extend(elsewhere(installation.sockets_elsewhere(&self.btf)));
            }
        }
        Guard::start(plan, self.targets, &self.procfs, installation, coverage, start)
    }

    /// The injector itself is never met, nor is the machine's process 1 unless the user allows it (`--unsafe`).
    fn exempt(&self, installation: &Installation, plan: &Plan) -> Result<(), EngineError> {
        let own = Process::own(&self.procfs).map_err(target::TargetError::from)?;
        installation.exempt(own.pidfd())?;
        if !plan.options.allow_unsafe
            && target::in_initial_pid_namespace(&self.procfs).unwrap_or(true)
            && let Ok(init) = Process::open(1, Init::Allowed, &self.procfs)
        {
            installation.exempt(init.pidfd())?;
        }
        Ok(())
    }

    /// Puts the packet programs on the devices of the targets.
    pub(super) fn cover(
        &self,
        installation: &Installation,
        plan: &Plan,
    ) -> Result<Option<Coverage>, EngineError> {
        let sides: Vec<_> = self.sides(plan, &self.targets)?.collect();
        if sides.is_empty() {
            return Ok(None);
        }
        let sides = sides.into_iter().map(|side| self.classifier(installation, plan, side));
        let classifiers = sides.collect::<Result<_, _>>()?;
        let lines = plan.delay_line.map(|needs| self.lines(installation, plan.id, needs)).transpose()?;
        Ok(Some(Coverage::new(classifiers, lines, self.procfs.clone())))
    }

    /// The packet program for a side of devices.
    pub(super) fn classifier(
        &self,
        installation: &Installation,
        plan: &Plan,
        side: Side,
    ) -> Result<Classifier, EngineError> {
        let mechanism = self.device_mechanism()?;
        let program = installation.classifier(side, mechanism == net::Mechanism::Clsact)?;
        Ok(Classifier { program, side, mechanism, plan: u64::from(plan.id) })
    }

    /// The delay lines of a plan, none of them laid yet.
    pub(super) fn lines(
        &self,
        installation: &Installation,
        plan: u32,
        needs: DelayLine,
    ) -> Result<Lines, EngineError> {
        Ok(Lines::new(plan, needs, self.device_mechanism()?, installation.delay_line_programs()?)?)
    }
}

/// What to say of sockets that those in target cgroups brought along: sk_alloc sets a socket's cgroup, and nothing
/// changes it (net/core/sock.c, `cgroup_sk_alloc`).
fn elsewhere(found: Result<u64, InstallError>) -> Option<String> {
    match found {
        Ok(0) => None,
        Ok(count) => {
            let descriptors = if count == 1 { "descriptor" } else { "descriptors" };
            Some(format!(
                "the target's processes have sockets that were made in other cgroups ({count} {descriptors}): they \
                 belong to those, and their packets pass"
            ))
        }
        Err(error) => Some(format!(
            "a socket that one of the target's processes made in another cgroup belongs to that one, and its packets \
             pass; whether there are any could not be seen: {error}"
        )),
    }
}

/// Is one of them a process tree?
pub(super) fn has_tree(targets: &[Target]) -> bool {
    targets.iter().any(|target| matches!(target, Target::Process(_)))
}

/// Puts programs at the target cgroups, and at the root of all cgroups for process trees: a socket stays in the
/// cgroup in which it was made, one that is accepted in that of its listener, so those of a tree can be anywhere.
pub(super) fn at_cgroups(
    targets: &[Target],
    procfs: &Procfs,
    mut attach: impl FnMut(Whose, BorrowedFd<'_>) -> Result<(), InstallError>,
) -> Result<(), EngineError> {
    if has_tree(targets) {
        let hierarchy = Hierarchy::discover(procfs).map_err(target::TargetError::from)?;
        let path = hierarchy.mount_point();
        let root = File::open(path).map_err(|source| EngineError::Cgroup { path: path.into(), source })?;
        attach(Whose::Tree, root.as_fd())?;
    }
    // One that is gone is left out: whatever has its path now is another one.
    let mut cgroups: Vec<_> =
        targets.iter().filter_map(Target::as_cgroup).filter(|cgroup| !cgroup.is_gone()).collect();
    // The program of a cgroup runs for all below it, so one below another target needs none.
    cgroups.sort_unstable_by_key(|cgroup| cgroup.path());
    let mut covered: Vec<&Path> = Vec::new();
    for cgroup in cgroups {
        if covered.iter().any(|above| cgroup.path().starts_with(above)) {
            continue;
        }
        covered.push(cgroup.path());
        attach(Whose::Cgroup, cgroup.as_fd())?;
    }
    Ok(())
}
