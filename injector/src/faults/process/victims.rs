//! Which processes a target has now, held open, in the order in which they were born, so that the same program gives the
//! same list on every run. Never the injector itself, its helpers, threads of the kernel; the machine's process 1 only
//! with `--unsafe`.

use std::{collections::BTreeSet, fmt};

use crate::{
    plan::Options,
    target::{self, Cgroup, Init, Process, Procfs, Target, TargetError},
};

/// Who is never met.
#[derive(Clone, Debug)]
pub(super) struct Spared {
    /// Processes of our own, by number.
    pub(super) own: BTreeSet<u32>,
    /// Is process 1?
    pub(super) init: Init,
    pub(super) procfs: Procfs,
}

/// Somebody who must not stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    /// The injector or one of its helpers.
    Injector,
    /// Process 1 of the machine.
    Init,
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Injector => "injector itself",
            Self::Init => "process 1 of this machine",
        })
    }
}

impl Spared {
    /// Who is never met, but for helpers.
    pub(super) fn of(options: &Options) -> Self {
        Self {
            own: [std::process::id()].into(),
            init: if options.allow_unsafe { Init::Allowed } else { Init::Refused },
            procfs: Procfs::default(),
        }
    }

    /// Who lives in a cgroup, or below it, for whose sake all of it must not be met.
    pub(super) fn inside(&self, cgroup: &Cgroup) -> Option<Inside> {
        let lives_in =
            |pid| self.procfs.cgroup_of(pid).ok().flatten().is_some_and(|name| cgroup.holds(&name));
        if self.own.iter().copied().any(lives_in) {
            return Some(Inside::Injector);
        }
        (self.init == Init::Refused && self.init_is_the_machines() && lives_in(1)).then_some(Inside::Init)
    }

    /// Is it one that may be met?
    fn admits(&self, process: &Process) -> bool {
        let init = process.pid() == 1 && self.init == Init::Refused;
        !(self.own.contains(&process.pid()) || init && self.init_is_the_machines())
    }

    fn init_is_the_machines(&self) -> bool {
        target::in_initial_pid_namespace(&self.procfs).unwrap_or(true)
    }
}

/// All processes of a target.
pub(super) fn of(target: &Target, spared: &Spared) -> Result<Vec<Process>, TargetError> {
    let mut found = match target {
        Target::Cgroup(cgroup) => of_cgroup(cgroup, spared)?,
        Target::Process(process) => of_tree(process, spared)?,
    };
    found.sort_by_key(|process| (process.started(), process.pid()));
    Ok(found)
}

fn of_cgroup(cgroup: &Cgroup, spared: &Spared) -> Result<Vec<Process>, TargetError> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for member in cgroup.pids()? {
        // A threaded cgroup lists threads.
        let Ok(pid) = spared.procfs.thread_group(member) else { continue };
        if !seen.insert(pid) {
            continue;
        }
        // Whatever cannot be opened is not to be met, or has ended.
        let Ok(process) = Process::open(pid, Init::Allowed, &spared.procfs) else { continue };
        // Between the list and the opening its number may have become another's.
        let lives_here = spared.procfs.cgroup_of(pid).ok().flatten().is_some_and(|name| cgroup.holds(&name));
        if lives_here && spared.admits(&process) {
            found.push(process);
        }
    }
    Ok(found)
}

/// All of a process tree, parents first.
pub(super) fn of_tree(tree: &Process, spared: &Spared) -> Result<Vec<Process>, TargetError> {
    let itself = Process::open(tree.pid(), Init::Allowed, &spared.procfs).ok();
    // The number of one that has ended may be another's.
    let itself = itself.filter(|process| process.started() == tree.started());
    let below = if itself.is_some() { tree.descendants()? } else { Vec::new() };
    Ok(itself.into_iter().chain(below).filter(|process| spared.admits(process)).collect())
}
