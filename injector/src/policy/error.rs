//! Why a policy cannot be used, or what it forbids.

use std::{io, path::PathBuf};

use crate::{
    policy::{Layer, Percent, TimeLimit},
    printable::Printable,
    spec::units::Probability,
};

/// Where the administrator says what may be touched.
pub const FILE: &str = "/etc/injector/policy.toml";

/// Why a plan cannot be had by the policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// What is permitted is not known.
    #[error("cannot use the policy {FILE}: {0}")]
    File(#[from] FileProblem),
    /// Rules of that kind are forbidden.
    #[error("cannot apply the rule `{}`: {FILE} permits {}, not {}", Printable(.rule), words(.permitted), .layer.word())]
    Layer {
        /// As it was given.
        rule: String,
        /// What it acts on.
        layer: Layer,
        /// What rules may act on.
        permitted: Vec<Layer>,
    },
    /// The rule fires too often.
    #[error("cannot apply the rule `{}`: it meets {probability} of its matches, and {FILE} permits {most} at most", Printable(.rule))]
    Probability {
        /// As it was given.
        rule: String,
        /// How often it fires.
        probability: Probability,
        /// How often it may.
        most: Percent,
    },
    /// The plan acts for too long.
    #[error("cannot let the plan act {}: {FILE} permits {most} at most", .asked.map_or("without an end".into(), |time| format!("for {time}")))]
    Duration {
        /// How long it was to act; `None` for no end.
        asked: Option<TimeLimit>,
        /// How long it may.
        most: TimeLimit,
    },
    /// Too many containers at once.
    #[error(
        "cannot take {met} of the {all} containers that run here as targets: {FILE} permits {most} of them at most, which is {number}"
    )]
    Containers {
        /// Containers that are targets or in one.
        met: usize,
        /// All that run.
        all: usize,
        /// The part that may be.
        most: Percent,
        /// The same as a number.
        number: u128,
    },
    /// The target, or something in it, is forbidden.
    #[error("cannot take the {} as a target: {FILE} denies the cgroup {} by `{}`", Printable(.target), Printable(.cgroup.display()), Printable(.pattern))]
    Denied {
        /// In words.
        target: String,
        /// The cgroup that is denied.
        cgroup: PathBuf,
        /// By which pattern.
        pattern: String,
    },
    /// The target is not among those that are permitted.
    #[error("cannot take the {} as a target: no pattern of `allow` in {FILE} matches the cgroup {}", Printable(.target), Printable(.cgroup.display()))]
    NotAllowed {
        /// In words.
        target: String,
        /// The cgroup that is not allowed.
        cgroup: PathBuf,
    },
    /// The machine depends on a process of the target.
    #[error("cannot take the {} as a target: it has process {pid} ({}){}, {role}", Printable(.target), Printable(.comm), place(*.is_cgroup, .cgroup.as_ref()))]
    Protected {
        /// In words.
        target: String,
        /// Is it a cgroup? Else it is a process tree.
        is_cgroup: bool,
        /// The process.
        pid: u32,
        /// Its name.
        comm: String,
        /// Its cgroup.
        cgroup: Option<PathBuf>,
        /// What it is to the machine.
        role: &'static str,
    },
    /// The injector's own pod or container is in the target.
    #[error("cannot take the {} as a target: injector itself runs in {}", Printable(.target), Printable(.home.display()))]
    Home {
        /// In words.
        target: String,
        /// The cgroup of the pod or of the container.
        home: PathBuf,
    },
}

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// It cannot be read.
    #[error("it cannot be read: {source}")]
    Read {
        /// The cause.
        source: io::Error,
    },
    /// There is something else at its path.
    #[error("it is not a file")]
    NoFile,
    /// It, or its folder, is somebody else's.
    #[error("{} belongs to user {user}, not to root", Printable(.path.display()))]
    Owner {
        /// The file or its folder.
        path: PathBuf,
        /// Whose it is.
        user: u32,
    },
    /// Others may change it.
    #[error("others than root may write to {} (mode {mode:o})", Printable(.path.display()))]
    Writable {
        /// The file or its folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is no policy.
    #[error("{}{}", .line.map(|line| format!("line {line}: ")).unwrap_or_default(), Printable(.message))]
    Text {
        /// Where, counted from 1.
        line: Option<usize>,
        /// What.
        message: String,
    },
}

impl PolicyError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        const ASK: &str = "or ask this machine's administrator to permit it; no option overrides the policy";
        match self {
            Self::File(problem) => problem.hint(),
            Self::Layer { permitted, .. } if permitted.is_empty() => {
                format!("ask this machine's administrator to permit it in {FILE}; no option overrides the policy")
            }
            Self::Layer { .. } => format!("leave the rule out, {ASK}"),
            Self::Probability { most, .. } => {
                format!("lower its probability, with prob={most} or, for packets, by loss {most} and the like, {ASK}")
            }
            Self::Duration { most, .. } => {
                format!("add --for {}, {ASK}", most.to_string().replace(' ', ""))
            }
            Self::Containers { number, .. } => format!("name fewer, or add --count {number}, {ASK}"),
            Self::Denied { .. } => format!("name another target, {ASK}"),
            Self::NotAllowed { cgroup, .. } if is_of_run(cgroup) => {
                format!("have `injector-run-*` put into `allow`, which permits commands of `injector run`, {ASK}")
            }
            Self::NotAllowed { .. } => format!("name a target that matches, {ASK}"),
            Self::Protected { is_cgroup: true, .. } => {
                "name a smaller cgroup that does not have it, or a process with --pid; or add --unsafe if that is what \
                 you want"
                    .into()
            }
            Self::Protected { .. } => {
                "name a process below it, such as the shell that it has started; or add --unsafe if that is what you want"
                    .into()
            }
            Self::Home { .. } => "name another target, or add --unsafe if that is what you want".into(),
        }
    }
}

impl FileProblem {
    fn hint(&self) -> String {
        match self {
            Self::Read { .. } | Self::NoFile => {
                "make it a file that root can read, or remove it to permit everything that is not protected"
                    .into()
            }
            Self::Owner { path, .. } => {
                format!("see who has changed it, and then: chown root {}", path.display())
            }
            Self::Writable { path, .. } => {
                format!("see whether anybody has changed it, and then: chmod go-w {}", path.display())
            }
            Self::Text { .. } => "correct it: docs/safety.md lists all keys and what they may be".into(),
        }
    }
}

/// Layers in words.
fn words(layers: &[Layer]) -> String {
    match layers.iter().map(|layer| layer.word()).collect::<Vec<_>>()[..] {
        [] => "no rules".into(),
        [one] => one.into(),
        [ref others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

/// Where a process of a cgroup lives, which says how to go around it.
fn place(is_cgroup: bool, cgroup: Option<&PathBuf>) -> String {
    match cgroup.filter(|_| is_cgroup) {
        Some(cgroup) => format!(" in {}", Printable(cgroup.display())),
        None => String::new(),
    }
}

/// Is it the cgroup of a command that `run` starts?
fn is_of_run(cgroup: &std::path::Path) -> bool {
    cgroup.file_name().is_some_and(|name| name.to_string_lossy().starts_with("injector-run-"))
}
