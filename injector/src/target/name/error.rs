//! Why a name is no target: what failed on which name and the cause; `hint` says what to do.

use std::{io, path::Path};

use crate::{
    printable::Printable,
    target::{
        error::cgroup::CgroupError,
        name::{
            container::{Runtime, StateError},
            host::INIT,
            word::{Kind, Name},
        },
    },
};

/// Candidates that a message names.
const SHOWN: usize = 8;

/// Why something cannot be found by its name.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// It is no regular expression, or no glob.
    #[error("cannot read {} as a pattern: {}", Printable(.text), Printable(last_line(.source)))]
    Pattern {
        /// As it was given.
        text: String,
        /// What is wrong with it.
        source: Box<regex::Error>,
    },
    /// Nothing has that name.
    #[error("cannot find {}: {}", Printable(.name), unknown(.name, *.others))]
    Unknown {
        /// The name.
        name: Name,
        /// How many things of that kind there are.
        others: usize,
        /// One that is spelt alike.
        nearest: Option<String>,
    },
    /// Several things have it.
    #[error("cannot tell which {} is meant: {} have that name: {}", Printable(.name), .candidates.len(), Printable(listed(.candidates)))]
    Several {
        /// The name.
        name: Name,
        /// What each could be named by instead.
        candidates: Vec<String>,
    },
    /// It does not run.
    #[error("cannot put rules on {}: it does not run, so it has no cgroup", Printable(.name))]
    Ended {
        /// The name.
        name: Name,
        /// Whose it is, if it is a container.
        runtime: Option<Runtime>,
    },
    /// It could be in what cannot be read.
    #[error("cannot look for {}: cannot read {}: {}", Printable(.name), Printable(.state.path.display()), .state.source)]
    Unreadable {
        /// The name.
        name: Name,
        /// The first thing in the way.
        state: StateError,
    },
    /// Fewer have been found than are to be chosen.
    #[error("cannot choose {asked} targets: the names mean {found}")]
    TooFew {
        /// How many were asked for.
        asked: usize,
        /// How many there are.
        found: usize,
    },
    /// Cgroups cannot be looked at.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
}

impl NameError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Pattern { .. } => {
                "write a glob such as `web-*`, or a regular expression between slashes, such as `/^web-[0-9]+$/`".into()
            }
            Self::Unknown { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::Unknown { name, others: 0, .. } if name.kind.is_of_containers() => {
                "run injector where the runtime keeps its state (/var/lib/docker, /var/lib/containers, /run/containerd): in a \
                 sidecar, share the host's pid namespace or mount these; or name the cgroup with --cgroup"
                    .into()
            }
            Self::Unknown { name, .. } => match name.kind {
                Kind::Container => "list them with `docker ps`, `podman ps`, `nerdctl ps` or `crictl ps`".into(),
                Kind::Pod => "list this node's pods with `crictl pods` or `kubectl get pods -A -o wide`".into(),
                Kind::Label => {
                    "see `docker inspect NAME` or `kubectl get pods --show-labels`; labels that Podman 5 keeps are not \
                     read: name its containers with --container"
                        .into()
                }
                Kind::Unit => "list them with `systemctl list-units`".into(),
                Kind::Cgroup => "list what there is with `systemd-cgls`".into(),
            },
            Self::Several { name, candidates } => {
                let first = candidates.first().map_or("", String::as_str);
                let option = match name.kind {
                    Kind::Unit | Kind::Cgroup => "--cgroup",
                    Kind::Pod => "--pod",
                    Kind::Container | Kind::Label => "--container",
                };
                format!("name one of them, as with `{option} {first}`, or all of them with a pattern")
            }
            Self::Ended { name, runtime } => {
                let text = &name.text;
                match runtime {
                    Some(Runtime::Docker) => format!("start it: docker start {text}"),
                    Some(Runtime::Podman) => format!("start it: podman start {text}"),
                    Some(Runtime::Nerdctl) => format!("start it: nerdctl start {text}"),
                    Some(_) => "wait until it runs: see `crictl ps -a`".into(),
                    None => format!("start it: systemctl start {text}"),
                }
            }
            Self::Unreadable { state, .. } => match state.source.kind() {
                io::ErrorKind::PermissionDenied if state.path.starts_with(INIT) => {
                    "run as root on the host, or with CAP_SYS_PTRACE, which the root of other processes asks for; or name \
                     the cgroup with --cgroup"
                        .into()
                }
                io::ErrorKind::PermissionDenied => "run as root, or with CAP_DAC_READ_SEARCH".into(),
                _ => "check that file, or name the cgroup with --cgroup".into(),
            },
            Self::TooFew { .. } => "ask for fewer, or for a part of them, such as `--percent 50%`".into(),
            Self::Cgroup(error) => error.hint().into(),
        }
    }

    /// Is a right missing?
    pub(crate) fn is_permission(&self) -> bool {
        matches!(self, Self::Unreadable { state, .. } if state.source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Is it known, or could it be, so that waiting for it makes sense?
    pub(super) fn may_come(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Ended { .. } | Self::Unreadable { .. })
            || matches!(self, Self::Cgroup(CgroupError::Missing { .. }))
    }
}

impl Kind {
    pub(super) fn is_of_containers(self) -> bool {
        matches!(self, Self::Container | Self::Pod | Self::Label)
    }
}

fn unknown(name: &Name, others: usize) -> String {
    match (name.kind, others) {
        (kind, 0) if kind.is_of_containers() => {
            "neither Docker, Podman, containerd nor CRI-O has a container on this machine".into()
        }
        (Kind::Container, others) => format!("none of {} has that name or id", counted(others, "container")),
        (Kind::Pod, others) => format!("none of {} is in such a pod", counted(others, "container")),
        (Kind::Label, others) => format!("none of {} has that label", counted(others, "container")),
        (Kind::Unit, _) => "there is no such unit".into(),
        (Kind::Cgroup, _) => "no cgroup has that name".into(),
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn listed(candidates: &[String]) -> String {
    let mut text = candidates.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if candidates.len() > SHOWN {
        text += ", …";
    }
    text
}

/// The regex crate shows the expression with a mark below it; the cause stands in the last line.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// For candidates that are cgroups.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}
