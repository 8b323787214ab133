//! A name as the user gave it: what kind of thing it names, and the text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::target::name::container::Runtime;

/// What a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A container, by its name, by its id or the beginning of it.
    Container,
    /// A unit of the system's systemd.
    Unit,
    /// A Kubernetes pod: `NAMESPACE/NAME`, or `NAME` in any namespace.
    Pod,
    /// All containers with a label: `KEY=VALUE`, or `KEY`.
    Label,
    /// A cgroup by the last part of its path.
    Cgroup,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Container => "container",
            Self::Unit => "unit",
            Self::Pod => "pod",
            Self::Label => "label",
            Self::Cgroup => "cgroup",
        })
    }
}

/// A name. As long as a plan lives, it means whatever has the name then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// What it names.
    pub kind: Kind,
    /// Its text: a name, a glob with `*`, `?` or `[…]`, or a regular expression between slashes.
    pub text: String,
    /// Of one that a pattern found: whose container it is.
    pub(super) runtime: Option<Runtime>,
}

impl Name {
    /// The name of something of that kind.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), runtime: None }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.text)
    }
}
