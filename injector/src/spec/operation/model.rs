//! What was asked of operations: the rule that the `--io` grammar yields, and its printed form.

use std::{fmt, ops::RangeInclusive};

use injector_common::glob::Glob;
use ipnet::IpNet;

use super::super::{errno::Errno, model::Trigger, packet::shown};
use crate::operations::Operation;

/// Operations that fail instead of being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationRule {
    /// Which; never empty, none twice, in the order in which they were written.
    pub operations: Vec<&'static Operation>,
    /// What the caller gets.
    pub error: Errno,
    /// On which files; `None` for any, and for sockets.
    pub paths: Option<Paths>,
    /// With which peer; `None` for any, and for files.
    pub peer: Option<IpNet>,
    /// The peer's port or the socket's own; empty for any.
    pub ports: Vec<RangeInclusive<u16>>,
    /// Which of those that match.
    pub trigger: Trigger,
}

impl fmt::Display for OperationRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.operations.iter().map(|operation| operation.name).collect();
        write!(f, "{}:error={}", names.join(","), self.error)?;
        for pattern in self.paths.iter().flat_map(Paths::patterns) {
            write!(f, ":path={pattern}")?;
        }
        match self.peer {
            Some(net) if net.addr().is_ipv6() => write!(f, ":peer=[{}]", shown(net))?,
            Some(net) => write!(f, ":peer={}", shown(net))?,
            None => {}
        }
        for (range, at) in self.ports.iter().zip(0..) {
            let (low, high) = (range.start(), range.end());
            write!(f, "{}{low}", if at == 0 { ":port=" } else { "," })?;
            if low != high {
                write!(f, "-{high}")?;
            }
        }
        self.trigger.fmt(f)
    }
}

/// Patterns of paths: what was written, and the automaton made of all of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Paths {
    patterns: Vec<String>,
    glob: Box<Glob>,
}

impl Paths {
    pub(super) fn new(patterns: Vec<String>, glob: Box<Glob>) -> Self {
        Self { patterns, glob }
    }

    /// As they were written.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(String::as_str)
    }

    /// What the kernel side runs.
    pub fn glob(&self) -> &Glob {
        &self.glob
    }
}

impl fmt::Debug for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Paths").field(&self.patterns).finish()
    }
}
