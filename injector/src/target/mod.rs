//! Whose calls and packets are affected: a cgroup with all below it, by its path or by the name of whoever lives in it;
//! a process with all its descendants; or a command that we start.

pub mod cgroup;
pub mod command;
mod entry;
mod error;
pub mod hierarchy;
mod identity;
pub mod name;
pub mod process;
pub mod procfs;
pub mod rlimit;
pub mod run_cgroup;
pub mod session;
pub mod signals;

use std::{ffi::OsString, io, path::Path};

pub(crate) use self::procfs::MountLine;
pub use self::{
    cgroup::{Cgroup, Descendant},
    command::{Command, Milestone},
    error::{CgroupError, CommandError, ProcessError, TargetError},
    hierarchy::Hierarchy,
    identity::{Identity, IdentityError},
    name::{Host, Kind, Name, NameError, known},
    process::{Init, Process, in_initial_pid_namespace},
    procfs::Procfs,
    run_cgroup::{Placement, Removal, sweep},
    session::Session,
    signals::{Received, Signals},
};

/// What rules are put on.
#[derive(Debug)]
pub enum Target {
    /// A cgroup and all below it.
    Cgroup(Cgroup),
    /// A process and all its descendants.
    Process(Process),
}

/// The processes of all targets, as far as they can be listed.
pub(crate) fn processes(targets: &[Target]) -> Vec<u32> {
    targets.iter().filter_map(|target| target.pids().ok()).flatten().collect()
}

/// Is one of them a process tree?
pub(crate) fn has_tree(targets: &[Target]) -> bool {
    targets.iter().any(|target| matches!(target, Target::Process(_)))
}

impl Target {
    /// The cgroup at `path`, with all below it: a directory, or the cgroup's name as the line `0::` of `/proc/PID/cgroup`
    /// has it.
    ///
    /// # Errors
    /// There is no such cgroup of version 2, or it is the root of all.
    pub fn cgroup(path: impl AsRef<Path>) -> Result<Self, TargetError> {
        let hierarchy = Hierarchy::discover(&Procfs::default())?;
        let cgroup = Cgroup::open(path.as_ref(), &hierarchy)?;
        if cgroup.is_root() {
            return Err(CgroupError::Root(path.as_ref().to_owned()).into());
        }
        Ok(Self::Cgroup(cgroup))
    }

    /// The container of that name or id, whichever runtime has it: Docker, Podman, containerd, nerdctl or CRI-O. Whatever
    /// has the name later is met again.
    ///
    /// # Errors
    /// No container that runs has the name, or several have.
    pub fn container(name: impl Into<String>) -> Result<Self, TargetError> {
        Self::named(&Name::new(Kind::Container, name))
    }

    /// The systemd unit of that name, `redis` or `redis.service`.
    ///
    /// # Errors
    /// There is no such unit, or it does not run.
    pub fn unit(name: impl Into<String>) -> Result<Self, TargetError> {
        Self::named(&Name::new(Kind::Unit, name))
    }

    /// The first that the name means.
    pub(crate) fn named(name: &Name) -> Result<Self, TargetError> {
        let first = Self::all_named(name, &Host::here()?)?.into_iter().next();
        first.ok_or_else(|| NameError::TooFew { asked: 1, found: 0 }.into())
    }

    /// All that the name means, which is more than one only for a pattern or a label.
    ///
    /// # Errors
    /// Nothing that runs has the name, or several have it and one is meant.
    pub fn all_named(name: &Name, host: &Host) -> Result<Vec<Self>, TargetError> {
        Ok(name::find(name, host)?.into_iter().map(Self::Cgroup).collect())
    }

    /// The process of that number in the caller's pid namespace, with all that descend from it.
    ///
    /// # Errors
    /// There is no such process, or it is one of the kernel, the machine's init or the caller itself.
    pub fn pid(pid: u32) -> Result<Self, TargetError> {
        Ok(Self::Process(Process::open(pid, Init::Refused, &Procfs::default())?))
    }

    /// A command that is not started yet: the cgroup that is made for it, and the command, `words` being its name and its
    /// arguments. Once rules are on the cgroup, applied with [`Start::AtExec`](crate::engine::Start::AtExec),
    /// [`Command::start`] has it run, under the rules from its first instruction on.
    ///
    /// ```no_run
    /// use std::error::Error;
    ///
    /// use injector::{
    ///     blocking::Guard,
    ///     engine::{Injector, Start},
    ///     plan::Options,
    ///     target::Target,
    /// };
    ///
    /// fn without_its_file() -> Result<i32, Box<dyn Error>> {
    ///     let (target, mut command) = Target::command(["cat", "/etc/hostname"])?;
    ///     let injector = Injector::new()?.rule("io=read:error=EIO:path=/etc/hostname".parse()?).target(target);
    ///     let plan = injector.plan(Options::default())?;
    ///     let guard = Guard::apply(injector, plan, Start::AtExec, |_| ())?;
    ///     command.start()?;
    ///     let code = command.wait_blocking()?;
    ///     guard.finish()?;
    ///     command.remove()?;
    ///     Ok(code)
    /// }
    /// ```
    ///
    /// # Errors
    /// There are no words, or no cgroup of version 2 can be made.
    pub fn command<W: Into<OsString>>(
        words: impl IntoIterator<Item = W>,
    ) -> Result<(Self, Command), TargetError> {
        let procfs = Procfs::default();
        let hierarchy = Hierarchy::discover(&procfs)?;
        let command = Command::prepare(words.into_iter().map(Into::into).collect(), &hierarchy, &procfs)?;
        let cgroup = Cgroup::open(command.cgroup().path(), &hierarchy)?;
        Ok((Self::Cgroup(cgroup), command))
    }

    /// The same target once more, for another thread.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Cgroup(cgroup) => Self::Cgroup(cgroup.try_clone()?),
            Self::Process(process) => Self::Process(process.try_clone()?),
        })
    }

    /// Numbers of all processes that belong to it now.
    ///
    /// # Errors
    /// [`TargetError`]: the cgroup's or the process's files cannot be read.
    pub fn pids(&self) -> Result<Vec<u32>, TargetError> {
        match self {
            Self::Cgroup(cgroup) => Ok(cgroup.pids()?),
            Self::Process(process) => {
                let own = (!process.is_gone()).then_some(process.pid());
                let below = process.descendants()?;
                Ok(own.into_iter().chain(below.iter().map(Process::pid)).collect())
            }
        }
    }

    /// The cgroup that holds it; none for a process, whose cgroup it shares with others.
    pub fn as_cgroup(&self) -> Option<&Cgroup> {
        match self {
            Self::Cgroup(cgroup) => Some(cgroup),
            Self::Process(_) => None,
        }
    }

    /// A few words for messages and tables.
    pub fn describe(&self) -> String {
        match self {
            Self::Cgroup(cgroup) => match cgroup.called() {
                Some(name) => name.to_string(),
                None => format!("cgroup {}", cgroup.name().display()),
            },
            Self::Process(process) => format!("process {} ({})", process.pid(), process.comm()),
        }
    }

    /// What is meant by the same path or name now, once the cgroup was removed; `None` as long as nothing is, and for a
    /// process, whose number may be another's.
    pub(crate) fn successor(&self, hierarchy: &Hierarchy) -> Result<Option<Cgroup>, TargetError> {
        let Self::Cgroup(old) = self else { return Ok(None) };
        let same = old.successor(hierarchy)?;
        match old.called() {
            // A name's path has the unit's name or the container's id in it, so what has the path has the name.
            Some(name) if same.is_none() => {
                Ok(name::find_again(name, hierarchy)?.map(|found| found.named(name.clone())))
            }
            _ => Ok(same),
        }
    }

    /// Whether it has ended: the cgroup was removed, the process ended (descendants may live on).
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Cgroup(cgroup) => cgroup.is_gone(),
            Self::Process(process) => process.is_gone(),
        }
    }
}
