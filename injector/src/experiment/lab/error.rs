//! Why a lab does not run.

use std::{io, path::PathBuf};

use ipnet::Ipv4Net;

use crate::{
    experiment::{failure::Failure, namespaces::PlaceError, warden::WardenError},
    kernel::net::PacketError,
    target::{CgroupError, IdentityError},
};

/// Why a lab, or one of its services, does not run.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A name that can be no host name and no name of a folder.
    #[error("service `{0}` cannot have that name")]
    Name(String),
    /// Too many services.
    #[error("cannot give {services} services an address each: {network} has {} besides the bridge's", network.hosts().count().saturating_sub(1))]
    NetworkFull {
        /// The network.
        network: Ipv4Net,
        /// How many there are.
        services: usize,
    },
    /// A service is to start after something that is none.
    #[error("service `{service}` is to start after `{other}`, which is no service")]
    AfterUnknown {
        /// The one.
        service: String,
        /// The other.
        other: String,
    },
    /// None of these can start first.
    #[error("services wait for each other: {}", .0.join(", "))]
    Circle(Vec<String>),
    /// There is no such service.
    #[error("there is no service `{0}`")]
    Unknown(String),
    /// A folder or file cannot be made.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A service's words are not what they should be: a name has no value, a URL is none.
    #[error("service `{service}`: {failure}")]
    Words {
        /// Whose words.
        service: String,
        /// What is wrong.
        failure: Failure,
    },
    /// A user is not known.
    #[error("service `{service}`: {source}")]
    User {
        /// Whose.
        service: String,
        /// Why.
        source: IdentityError,
    },
    /// The cgroup cannot be made.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// A limit cannot be set.
    #[error("cannot limit {controller} of {}: {source}", service.as_ref().map_or("services".into(), |name| format!("service `{name}`")))]
    Limit {
        /// Whose; none while it is not even possible.
        service: Option<String>,
        /// `memory`, `cpu` or `pids`.
        controller: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The network cannot be made.
    #[error(transparent)]
    Network(#[from] PacketError),
    /// The file system's names cannot be made.
    #[error("cannot give a service an /etc/hosts of its own: cannot {what}: {source}")]
    Mounts {
        /// The step that failed.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Nobody would clean up.
    #[error(transparent)]
    Warden(#[from] WardenError),
    /// Nothing can be done in its namespaces.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Something that is done before the services start failed.
    #[error("cannot prepare the lab: `{action}` {why}")]
    Prepare {
        /// As the file has it.
        action: String,
        /// What came of it.
        why: String,
    },
    /// A service does not run.
    #[error("service `{service}` {why}{}", last_words(.output))]
    Service {
        /// Which.
        service: String,
        /// `exited with 1 before it was ready`.
        why: String,
        /// The last lines of its log.
        output: Vec<String>,
        /// Its log.
        log: PathBuf,
    },
}

fn last_words(lines: &[String]) -> String {
    if lines.is_empty() {
        return "; it has said nothing".into();
    }
    lines.iter().fold("; its last words:".to_owned(), |text, line| format!("{text}\n  {line}"))
}

impl LabError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Name(_) => "use letters, digits, `-` and `_`".into(),
            Self::NetworkFull { .. } => "write a larger one, such as `network: 10.77.0.0/16`".into(),
            Self::AfterUnknown { .. } | Self::Unknown(_) => "name one of lab.services".into(),
            Self::Circle(_) => "let one of them start without waiting: see `after`".into(),
            Self::Words { failure: Failure::Missing(_), .. } => {
                "names of a service are ${self}, ${address}, ${dir}, ${address.NAME} and ${dir.NAME}".into()
            }
            Self::Words { .. } => "see `ready` of that service".into(),
            Self::Place(source) => source.hint().into(),
            Self::User { source, .. } => source.hint().into(),
            Self::Cgroup(source) => source.hint().into(),
            Self::Network(source) => source.hint(),
            Self::Warden(source) => source.hint().into(),
            Self::Limit { controller, .. } => {
                format!(
                    "have the {controller} controller in the cgroup.subtree_control of the cgroups above (systemd: \
                     Delegate=yes), or leave the limit out"
                )
            }
            Self::File { source, .. } | Self::Mounts { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                "run as root".into()
            }
            Self::File { .. } => "see whether the disk is full or read-only, or name another folder".into(),
            Self::Mounts { .. } => "see whether /etc/hosts is there, and the kernel log".into(),
            Self::Prepare { .. } => "see lab.prepare".into(),
            Self::Service { log, .. } => format!("see all of its log: {}", log.display()),
        }
    }

    /// Whether it is for want of a right.
    pub fn is_forbidden(&self) -> bool {
        let source = match self {
            Self::File { source, .. }
            | Self::Mounts { source, .. }
            | Self::Limit { source, .. }
            | Self::Cgroup(
                CgroupError::Make { source, .. }
                | CgroupError::Read { source, .. }
                | CgroupError::Remove { source, .. },
            ) => Some(source),
            Self::Network(source) => source.system(),
            _ => None,
        };
        source.is_some_and(|source| source.kind() == io::ErrorKind::PermissionDenied)
    }
}
