//! What happens to packets, in the words of tc-netem(8). One rule combines any of them as netem does: a packet
//! is first doubled or lost, then damaged, then delayed.

mod alone;
mod chance;
mod grammar;
mod loss;
mod reader;
mod timing;

use std::fmt;

use crate::spec::quantity::show_size;

pub(super) use self::grammar::fault;
pub use self::{
    chance::Chance,
    loss::Loss,
    timing::{Delay, Distribution, Rate, Reorder},
};

/// Packets that a queue holds if nothing is said, as in netem.
pub const DEFAULT_LIMIT: u32 = 1000;

/// What a rule does to packets. At least one part is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Netem {
    /// How late packets come.
    pub delay: Option<Delay>,
    /// Which are not delayed.
    pub reorder: Option<Reorder>,
    /// How many bytes pass in a second.
    pub rate: Option<Rate>,
    /// How much waits; what comes then is lost.
    pub limit: Option<Limit>,
    /// Which are lost.
    pub loss: Option<Loss>,
    /// Which come twice.
    pub duplicate: Option<Chance>,
    /// Which are damaged.
    pub corrupt: Option<Corrupt>,
}

/// How much a queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many packets.
    Packets(u32),
    /// So many bytes of packets.
    Bytes(u64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packets(packets) => write!(f, "limit {packets}"),
            Self::Bytes(bytes) => write!(f, "limit {}", show_size(*bytes)),
        }
    }
}

/// Packets that are damaged in one bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// Which.
    pub chance: Chance,
    /// Is the checksum made right, so that the damage reaches the application? Else it is left wrong, as on a
    /// wire.
    pub fixed: bool,
}

impl Netem {
    /// The first word of what needs packets to wait, if there is any.
    pub const fn waits(&self) -> Option<&'static str> {
        if self.delay.is_some() {
            Some("delay")
        } else if self.rate.is_some() {
            Some("rate")
        } else if self.reorder.is_some() {
            Some("reorder")
        } else if self.limit.is_some() {
            Some("limit")
        } else {
            None
        }
    }
}

impl fmt::Display for Netem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let corrupt = self.corrupt.map(|Corrupt { chance, fixed }| {
            format!("corrupt {chance}{}", if fixed { " fixed" } else { "" })
        });
        let parts = [
            self.delay.as_ref().map(ToString::to_string),
            self.reorder.as_ref().map(ToString::to_string),
            self.loss.as_ref().map(ToString::to_string),
            self.duplicate.map(|chance| format!("duplicate {chance}")),
            corrupt,
            self.rate.as_ref().map(ToString::to_string),
            self.limit.map(|limit| limit.to_string()),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}
