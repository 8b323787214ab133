//! The programs of a plan are loaded and attached: whom it means is marked, then all is attached that needs no device,
//! whole or not at all.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
};

use crate::{
    faults::{
        bpf::{BpfFaults, cgroup_tree::add_tree, cover::load, notes::Notes, process_tree::mark_tree},
        error::FaultError,
        fault::Scene,
    },
    kernel::installation::{Handle, InstallError, Installation, Subjects, cgroups::Whose},
    plan::Plan,
    target::{self, Hierarchy, Init, Process, Procfs, Target},
};

impl BpfFaults {
    /// Attaches all but what is at devices. Nothing matches before the plan is armed. `command`: does it arm itself by the
    /// execve of a command? What the user ought to know is noted in the plan.
    ///
    /// # Errors
    /// Whatever failed; nothing is left attached then.
    pub fn attach(plan: &mut Plan, scene: Scene<'_>, command: bool) -> Result<Self, FaultError> {
        let Scene { kernel, targets, .. } = scene;
        let subjects = Subjects {
            cgroups: targets.iter().any(|target| target.as_cgroup().is_some()),
            processes: target::has_tree(targets),
            command,
        };
        let (btf, procfs) = (kernel.btf()?, kernel.procfs());
        let mut installation = Installation::prepare(plan, subjects, btf)?;
        exempt(installation.handle(), plan, procfs)?;
        if plan.delays_calls() {
            installation.begin_call_delays(plan.options.max_call_delay)?;
        }
        if plan.needs_packets() {
            installation.follow_sockets(btf)?;
        }
        // Processes first: a fork in a target cgroup gives the child a state, and one that has a state
        // could no longer be marked.
        for (target, number) in targets.iter().zip(0..) {
            if let Target::Process(process) = target {
                mark_tree(installation.handle(), process, number, procfs)?;
            }
        }
        for (target, number) in targets.iter().zip(0..) {
            if let Target::Cgroup(cgroup) = target {
                add_tree(&installation, cgroup, number)?;
            }
        }
        if plan.needs_ingress() {
            at_cgroups(targets, procfs, |whose, cgroup| installation.attach_ingress(whose, cgroup))?;
        }
        if plan.needs_connect() {
            at_cgroups(targets, procfs, |whose, cgroup| installation.attach_connect(whose, cgroup))?;
        }
        let coverage = load(&installation, plan, scene)?;
        let backends = kernel.backends(plan.rules.iter().flat_map(|rule| rule.asked.calls()))?;
        let programs = installation.attach_calls(&plan.sites, &backends)?;
        installation.keep(programs);
        // Last, so that a socket that was made before all this has been opened by now.
        if plan.needs_packets() {
            installation.mark_sockets(btf)?;
            if subjects.cgroups && !subjects.command {
                plan.notes.extend(elsewhere(installation.sockets_elsewhere(btf)));
            }
        }
        Ok(Self { coverage, installation, prepared: Vec::new(), notes: Notes::default() })
    }
}

/// The injector itself is never met, nor is the machine's process 1 unless the user allows it (`--unsafe`).
fn exempt(handle: &Handle, plan: &Plan, procfs: &Procfs) -> Result<(), FaultError> {
    let own = Process::own(procfs).map_err(target::TargetError::from)?;
    handle.exempt(own.pidfd())?;
    if !plan.options.allow_unsafe
        && target::in_initial_pid_namespace(procfs).unwrap_or(true)
        && let Ok(init) = Process::open(1, Init::Allowed, procfs)
    {
        handle.exempt(init.pidfd())?;
    }
    Ok(())
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

/// Puts programs at the target cgroups, and at the root of all cgroups for process trees: a socket stays in the
/// cgroup in which it was made, one that is accepted in that of its listener, so those of a tree can be anywhere.
pub(super) fn at_cgroups(
    targets: &[Target],
    procfs: &Procfs,
    mut attach: impl FnMut(Whose, BorrowedFd<'_>) -> Result<(), InstallError>,
) -> Result<(), FaultError> {
    if target::has_tree(targets) {
        let hierarchy = Hierarchy::discover(procfs).map_err(target::TargetError::from)?;
        let path = hierarchy.mount_point();
        let root = File::open(path).map_err(|source| FaultError::Cgroup { path: path.into(), source })?;
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
