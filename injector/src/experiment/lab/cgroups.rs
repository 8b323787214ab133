//! The cgroups of a lab: one for all of it, which the warden knows before it is there, and in it one for each service.

use std::{
    fs::{self, OpenOptions},
    hash::{BuildHasher as _, RandomState},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use crate::{
    experiment::{
        journal::Undo,
        lab::error::LabError,
        model::{Limits, Service},
        warden::{OURS, Warden, meaning, undo, write},
    },
    target::{CgroupError, Hierarchy, Procfs},
};

/// A service's cgroup has this before its name: `cgroup.procs` and the like are names of the kernel's.
const SERVICE: &str = "service-";
/// Of commands that are no service: of loads, probes and actions, and what tells whether a service is ready.
const COMMANDS: &str = "commands";

/// How `cpu.max` counts, microseconds; the kernel's default.
const PERIOD: f64 = 100_000.0;

/// The cgroup of a lab. Dropping it kills all that is in it.
#[derive(Debug)]
pub(super) struct Cgroups {
    top: PathBuf,
    warden: Warden,
    /// What is to be undone, in the order in which it was done.
    undos: Vec<Undo>,
}

impl Cgroups {
    /// Makes them for these services, below the caller's own cgroup; where limits are wanted and cannot be had there, below
    /// the root.
    pub(super) fn make<'a>(
        run: &str,
        services: impl Iterator<Item = (&'a String, &'a Service)> + Clone,
        warden: &Warden,
    ) -> Result<Self, LabError> {
        let procfs = Procfs::default();
        let hierarchy = Hierarchy::discover(&procfs)?;
        let wanted = wanted(services.clone().map(|(_, service)| &service.limits));
        let root = hierarchy.mount_point().to_path_buf();
        let own = procfs
            .own_cgroup()
            .map_err(|source| CgroupError::Read { path: procfs.path("self/cgroup"), source })?
            .and_then(|name| hierarchy.locate(&name));
        let mut refused = None;
        for parent in own.into_iter().chain([root]) {
            match Self::make_below(&parent, run, &wanted, warden) {
                Ok(made) => {
                    made.fill(services)?;
                    return Ok(made);
                }
                Err(error) => _ = refused.get_or_insert(error),
            }
        }
        let missing = CgroupError::NoVersion2 { version1: false };
        Err(refused.unwrap_or(missing.into()))
    }

    fn make_below(
        parent: &Path,
        run: &str,
        wanted: &[&'static str],
        warden: &Warden,
    ) -> Result<Self, LabError> {
        // The kernel's random source: no two runs of one name meet, and a name is never used again.
        let number = RandomState::new().hash_one(()) >> 32;
        let top = parent.join(format!("{OURS}lab-{}-{number:08x}", shown(run)));
        let mut made = Self { top: top.clone(), warden: warden.clone(), undos: Vec::new() };
        let refused = |controller| move |source| LabError::Limit { service: None, controller, source };
        for &controller in wanted {
            let file = parent.join("cgroup.subtree_control");
            let there = fs::read_to_string(&file).map_err(refused(controller))?;
            if !there.split_whitespace().any(|one| one == controller) {
                let back = Undo::Write { file: file.clone(), content: format!("-{controller}") };
                made.act(back, || write(&file, &format!("+{controller}")))?.map_err(refused(controller))?;
            }
        }
        // After that: whoever goes back must not find it there.
        made.act(Undo::RemoveCgroup(top.clone()), || fs::create_dir(&top))?
            .map_err(|source| CgroupError::Make { parent: parent.to_path_buf(), source })?;
        for &controller in wanted {
            write(&top.join("cgroup.subtree_control"), &format!("+{controller}"))
                .map_err(refused(controller))?;
        }
        made.check(parent)?;
        Ok(made)
    }

    /// Whether processes can be in it: not so below a threaded one, which a cgroup with processes in it becomes by giving
    /// `cpu` or `pids` to those below (kernel/cgroup/cgroup.c, `cgroup_is_thread_root`).
    fn check(&self, parent: &Path) -> Result<(), LabError> {
        let failed = |source| CgroupError::Make { parent: parent.to_path_buf(), source };
        match fs::read_to_string(self.top.join("cgroup.type")).map_err(failed)?.trim() {
            "domain" => Ok(()),
            other => {
                let why = format!("it would be of type `{other}`, which holds no processes");
                Err(failed(io::Error::other(why)).into())
            }
        }
    }

    /// Does something that `undo` undoes.
    fn act(&mut self, undo: Undo, act: impl FnOnce() -> io::Result<()>) -> Result<io::Result<()>, LabError> {
        self.warden.will(&undo)?;
        let acted = act();
        if acted.is_ok() {
            self.undos.push(undo);
        } else {
            self.warden.undone(&undo)?;
        }
        Ok(acted)
    }

    fn fill<'a>(&self, services: impl Iterator<Item = (&'a String, &'a Service)>) -> Result<(), LabError> {
        let make = |path: &Path| {
            fs::create_dir(path).map_err(|source| CgroupError::Make { parent: self.top.clone(), source })
        };
        make(&self.commands())?;
        for (name, service) in services {
            let path = self.service(name);
            make(&path)?;
            for (controller, file, content) in contents(&service.limits) {
                write(&path.join(file), &content).map_err(|source| LabError::Limit {
                    service: Some(name.clone()),
                    controller,
                    source,
                })?;
            }
        }
        Ok(())
    }

    /// A service's.
    pub(super) fn service(&self, name: &str) -> PathBuf {
        self.top.join(format!("{SERVICE}{name}"))
    }

    /// That of commands which are no service.
    pub(super) fn commands(&self) -> PathBuf {
        self.top.join(COMMANDS)
    }

    /// Its `cgroup.procs`, open for writing.
    pub(super) fn enter_commands(&self) -> Result<OwnedFd, LabError> {
        let path = self.commands().join("cgroup.procs");
        let opened = OpenOptions::new().write(true).open(&path);
        Ok(opened.map_err(|source| CgroupError::Read { path, source })?.into())
    }

    /// Kills everybody, and removes all of them; gives what could not be undone.
    pub(super) fn remove(&mut self) -> Vec<String> {
        let mut failed = Vec::new();
        while let Some(last) = self.undos.pop() {
            match undo(&last) {
                // If the warden does not hear of it, it finds nothing to do.
                Ok(()) => drop(self.warden.undone(&last)),
                // The warden tries it again.
                Err(error) => failed.push(format!("{}: {error}", meaning(&last))),
            }
        }
        failed
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A run's name as a part of a cgroup's.
fn shown(run: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    run.chars().map(plain).take(64).collect()
}

/// The controllers that some limit needs.
fn wanted<'a>(limits: impl Iterator<Item = &'a Limits>) -> Vec<&'static str> {
    let mut wanted: Vec<_> = limits.flat_map(contents).map(|(name, ..)| name).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// What limits are in the kernel's words: controller, file, content.
fn contents(limits: &Limits) -> impl Iterator<Item = (&'static str, &'static str, String)> + use<> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of microseconds")]
    // The kernel takes no less than a millisecond (kernel/sched/core.c, `tg_set_cfs_bandwidth`).
    let quota = |processors: f64| (processors * PERIOD).round().max(1000.0) as u64;
    let memory = limits.memory.map(|bytes| ("memory", "memory.max", bytes.to_string()));
    let cpu = limits.cpu.map(|processors| ("cpu", "cpu.max", format!("{} {PERIOD}", quota(processors))));
    let pids = limits.pids.map(|count| ("pids", "pids.max", count.to_string()));
    [memory, cpu, pids].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_in_the_words_of_the_kernel() {
        let limits = Limits { memory: Some(64 << 20), cpu: Some(0.5), pids: Some(50) };
        let written: Vec<_> =
            contents(&limits).map(|(_, file, content)| format!("{file} {content}")).collect();
        assert_eq!(written, ["memory.max 67108864", "cpu.max 50000 100000", "pids.max 50"]);
        assert_eq!(wanted([limits, limits].iter()), ["cpu", "memory", "pids"]);
        let tiny = Limits { cpu: Some(0.0001), ..Limits::default() };
        assert_eq!(contents(&tiny).next().unwrap().2, "1000 100000");
        assert_eq!(contents(&Limits::default()).count(), 0);
    }

    #[test]
    fn a_cgroup_shows_whose_it_is() {
        assert_eq!(shown("20261129-etcd leader/1"), "20261129-etcd_leader_1");
    }
}
