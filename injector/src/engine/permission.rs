//! Whether a plan is permitted on this machine: who its targets are is gathered here, and [`crate::policy`] decides. Asked
//! when a plan is made, so that a refusal leaves no trace; when it is applied, now with all its targets; of a change, of
//! another end, and of a target that has come back.

use std::{collections::BTreeSet, os::unix::fs::MetadataExt as _, path::PathBuf};

use crate::{
    engine::EngineError,
    plan::Plan,
    policy::{Inhabitant, Machine, Policy, Subject, check_protected},
    target::{self, Host, Procfs, Target, TargetError, name},
};

/// Is all of the plan permitted, with these targets?
pub(super) fn check(
    policy: &Policy,
    plan: &Plan,
    targets: &[Target],
    procfs: &Procfs,
) -> Result<(), EngineError> {
    check_rules(policy, plan)?;
    policy.check_duration(plan.options.duration)?;
    let subjects = targets.iter().map(|target| check_target(policy, plan, target, procfs));
    let subjects: Vec<_> = subjects.collect::<Result<_, _>>()?;
    if policy.limits.containers.is_some() {
        let containers = containers().map_err(TargetError::from)?;
        policy.check_share(met(&containers, &subjects), containers.len())?;
    }
    Ok(())
}

/// Are all its rules permitted, and those that it is prepared for?
pub(super) fn check_rules(policy: &Policy, plan: &Plan) -> Result<(), EngineError> {
    let own = plan.rules.iter().map(|rule| (&rule.text, &rule.asked));
    let prepared = plan.options.repertoire.iter().map(|rule| (&rule.text, &rule.kind));
    Ok(own.chain(prepared).try_for_each(|(text, kind)| policy.check_rule(text, kind))?)
}

/// May rules be put on the target?
pub(super) fn check_target(
    policy: &Policy,
    plan: &Plan,
    target: &Target,
    procfs: &Procfs,
) -> Result<Subject, EngineError> {
    let subject = subject(target, procfs)?;
    policy.check_target(&subject)?;
    if !plan.options.allow_unsafe {
        let has_init = target::in_initial_pid_namespace(procfs).unwrap_or(true);
        let own = procfs.own_cgroup().ok().flatten();
        check_protected(&subject, &Machine { has_init, own })?;
    }
    Ok(subject)
}

/// Who is in a target. What cannot be read of a process has ended meanwhile.
fn subject(target: &Target, procfs: &Procfs) -> Result<Subject, TargetError> {
    let namespace = |pid: u32| procfs.path(format!("{pid}/ns/pid")).metadata().ok().map(|file| file.ino());
    let machines = namespace(1);
    let inhabitant = |pid: u32| {
        let comm = procfs.stat(pid).ok()?.comm;
        let cgroup = procfs.cgroup_of(pid).ok().flatten();
        Some(Inhabitant { pid, comm, cgroup, of_the_machine: namespace(pid) == machines })
    };
    let inhabitants: Vec<_> = target.pids()?.into_iter().filter_map(inhabitant).collect();
    let (mut cgroups, mut below) = (Vec::new(), Vec::new());
    if let Some(cgroup) = target.as_cgroup() {
        cgroups.push(cgroup.name().to_owned());
        let name = |path: PathBuf| Some(cgroup.name().join(path.strip_prefix(cgroup.path()).ok()?));
        below.extend(cgroup.descendants()?.into_iter().filter_map(|descendant| name(descendant.path)));
    } else {
        let all: BTreeSet<_> = inhabitants.iter().filter_map(|one| one.cgroup.clone()).collect();
        cgroups.extend(all);
    }
    let is_cgroup = target.as_cgroup().is_some();
    Ok(Subject { target: target.describe(), is_cgroup, cgroups, below, inhabitants })
}

/// The names of the cgroups of all containers that run on this machine.
fn containers() -> Result<Vec<PathBuf>, target::NameError> {
    name::running(&Host::here()?)
}

/// How many of the containers are in a target, or have one in them.
fn met(containers: &[PathBuf], subjects: &[Subject]) -> usize {
    let meets = |container: &PathBuf, subject: &Subject| {
        subject
            .cgroups
            .iter()
            .any(|name| name.starts_with(container) || subject.is_cgroup && container.starts_with(name))
    };
    containers.iter().filter(|container| subjects.iter().any(|subject| meets(container, subject))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_in_targets_and_around_them() {
        let containers = ["/docker/a", "/docker/b", "/pods/x/c"].map(PathBuf::from);
        for (cgroup, is_cgroup, count) in [
            ("/docker/a", true, 1),
            ("/docker/a/worker", true, 1),
            ("/docker", true, 2),
            ("/", true, 3),
            ("/docker", false, 0),
            ("/docker/a/worker", false, 1),
            ("/docker/ab", true, 0),
        ] {
            let subject = Subject { is_cgroup, cgroups: vec![cgroup.into()], ..Subject::default() };
            assert_eq!(met(&containers, &[subject.clone(), subject]), count, "{cgroup}");
        }
    }

    #[test]
    fn a_process_of_this_machine() {
        let own = std::process::id();
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let target = Target::pid(child.id()).unwrap();
        let subject = subject(&target, &Procfs::default()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(subject.inhabitants.len(), 1);
        assert!(!subject.is_cgroup && subject.inhabitants[0].pid != own);
        assert_eq!(subject.cgroups, Procfs::default().own_cgroup().unwrap().into_iter().collect::<Vec<_>>());
    }
}
