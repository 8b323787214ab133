//! The options that name targets of `attach`.

use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use injector::{
    plan::Options,
    target::{
        Cgroup, CgroupError, Hierarchy, Host, Init, Kind, Name, NameError, Process, Procfs, Target,
        TargetError,
        name::choice::{Share, choose},
        rlimit,
    },
};

use crate::cli::{completions, exit::Failure};

/// Whom the rules are put on, by any number of options of any kind.
#[derive(Args, Debug)]
pub(super) struct Targets {
    /// A container of Docker, Podman, nerdctl, containerd or CRI-O: its name, its id or the first 4 digits of it or more,
    /// NAMESPACE/POD/CONTAINER in Kubernetes; or many by a glob (web-*) or a /REGEX/
    #[arg(long, value_name = "NAME|ID|/REGEX/", help_heading = "Targets")]
    #[arg(add = ArgValueCandidates::new(completions::containers))]
    container: Vec<String>,
    /// A Kubernetes pod of this node with all its containers; or many by a glob or a /REGEX/
    #[arg(long, value_name = "NAMESPACE/NAME", help_heading = "Targets")]
    #[arg(add = ArgValueCandidates::new(completions::pods))]
    pod: Vec<String>,
    /// All containers with this label, or whose pod has it
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Targets")]
    #[arg(add = ArgValueCandidates::new(completions::labels))]
    label: Vec<String>,
    /// A systemd unit that runs, such as redis or redis.service; or many by a glob or a /REGEX/
    #[arg(long, value_name = "NAME", help_heading = "Targets")]
    #[arg(add = ArgValueCandidates::new(completions::units))]
    unit: Vec<String>,
    /// A cgroup (v2) with all below it: a path, a name as in /proc/PID/cgroup, or the last part of one, which is then
    /// looked for and may be a glob
    #[arg(long, value_name = "PATH|NAME", help_heading = "Targets")]
    #[arg(add = ArgValueCandidates::new(completions::cgroups))]
    cgroup: Vec<PathBuf>,
    /// A process with all its descendants
    #[arg(long, short, value_name = "PID", value_delimiter = ',', help_heading = "Targets")]
    #[arg(add = ArgValueCandidates::new(completions::processes))]
    pid: Vec<u32>,
    /// Of all that the options above name, only so many, drawn from the seed
    #[arg(long, value_name = "N", help_heading = "Targets", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// Of all that the options above name, only such a part, drawn from the seed and rounded up, such as 30%
    #[arg(long, value_name = "P%", help_heading = "Targets", conflicts_with = "count", value_parser = part)]
    percent: Option<f64>,
}

impl Targets {
    /// Is anything named?
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.cgroup.is_empty() && self.pid.is_empty() && self.names().next().is_none() {
            return Err(Failure::usage(
                "attach needs a target, and none was named",
                "add --container NAME, --pod NAMESPACE/NAME, --unit NAME, --cgroup PATH or --pid PID, or start a command \
                 with `injector run`",
            ));
        }
        Ok(())
    }

    /// Is a process tree among them?
    pub(super) fn has_tree(&self) -> bool {
        !self.pid.is_empty()
    }

    fn names(&self) -> impl Iterator<Item = Name> {
        let of = |kind, texts: &'_ [String]| {
            texts.iter().map(move |text| Name::new(kind, text.as_str())).collect::<Vec<_>>()
        };
        let names = [
            of(Kind::Container, &self.container),
            of(Kind::Pod, &self.pod),
            of(Kind::Label, &self.label),
            of(Kind::Unit, &self.unit),
        ];
        names.into_iter().flatten()
    }

    /// Finds them, each once.
    pub(super) fn find(&self, options: &Options) -> Result<Vec<Target>, Failure> {
        let procfs = Procfs::default();
        // Every target holds one.
        rlimit::raise();
        let mut targets: Vec<Target> = Vec::new();
        if !self.cgroup.is_empty() {
            let hierarchy = Hierarchy::discover(&procfs).map_err(TargetError::from)?;
            for path in &self.cgroup {
                targets.extend(cgroups(path, &hierarchy, options.allow_unsafe)?);
            }
        }
        if self.names().next().is_some() {
            let host = Host::here().map_err(TargetError::from)?;
            for name in self.names() {
                targets.extend(Target::all_named(&name, &host)?);
            }
        }
        let init = if options.allow_unsafe { Init::Allowed } else { Init::Refused };
        for &pid in &self.pid {
            targets.push(Target::Process(Process::open(pid, init, &procfs).map_err(TargetError::from)?));
        }
        let mut known = Vec::new();
        targets.retain(|target| {
            let id = target.as_cgroup().map(Cgroup::id);
            let new = id.is_none_or(|id| !known.contains(&id));
            known.extend(id);
            new
        });
        let count = self.count.map(|count| Share::Count(count as usize));
        match count.or(self.percent.map(Share::Part)) {
            Some(share) => {
                Ok(choose(targets, Target::describe, share, options.seed).map_err(TargetError::from)?)
            }
            None => Ok(targets),
        }
    }
}

/// By a path, or by the last part of one.
fn cgroups(path: &Path, hierarchy: &Hierarchy, allow_unsafe: bool) -> Result<Vec<Target>, Failure> {
    let missing = match Cgroup::open(path, hierarchy) {
        Ok(cgroup) if cgroup.is_root() && !allow_unsafe => {
            return Err(TargetError::from(CgroupError::Root(path.to_owned())).into());
        }
        Ok(cgroup) => return Ok(vec![Target::Cgroup(cgroup)]),
        Err(error @ CgroupError::Missing { .. }) => error,
        Err(error) => return Err(TargetError::from(error).into()),
    };
    // What has a slash was meant as a path.
    match path.to_str().filter(|text| !text.contains('/')) {
        Some(text) => {
            let host = Host::here().map_err(TargetError::from)?;
            match Target::all_named(&Name::new(Kind::Cgroup, text), &host) {
                Err(TargetError::Name(NameError::Unknown { nearest: None, .. })) => {
                    Err(TargetError::from(missing).into())
                }
                found => Ok(found?),
            }
        }
        None => Err(TargetError::from(missing).into()),
    }
}

/// A value of `--percent`.
fn part(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').ok_or("it needs its `%`, as in `30%`")?;
    let percent: f64 = number.parse().map_err(|_| format!("`{number}` is not a number"))?;
    if percent > 0.0 && percent <= 100.0 {
        Ok(percent / 100.0)
    } else {
        Err("it must be above 0% and at most 100%".into())
    }
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_part_in_percent() {
        assert!((part("30%").unwrap() - 0.3).abs() < 1e-9);
        for bad in ["30", "0%", "101%", "-1%", "x%", "nan%", "%"] {
            assert!(part(bad).is_err(), "{bad}");
        }
    }
}
