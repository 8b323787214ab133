//! Where at a device a program can be, and by what.

use std::fmt;

/// Which packets of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Those that come in by it.
    Ingress,
    /// Those that leave by it.
    Egress,
}

/// How a program gets to a side of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// A link, which ends with us (Linux 6.6 and later).
    Tcx,
    /// A qdisc with a filter, which somebody has to take away.
    Clsact,
}

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        })
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        })
    }
}
