//! The name of a thread, as rules choose by it: `comm=redis-server`, or a beginning, `comm=redis*`.

use std::fmt;

use crate::spec::{error::Located, problem::FilterProblem, word::Word};

/// A thread's name, or how it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comm {
    name: String,
    prefix: bool,
}

impl Comm {
    /// What the kernel keeps of a name, without the zero behind it (`TASK_COMM_LEN`).
    const LENGTH: usize = 15;

    /// Reads `redis-server` or `redis*`.
    pub(super) fn parse(word: Word<'_>) -> Result<Self, Located> {
        let (name, prefix) = match word.text.strip_suffix('*') {
            Some(name) => (name, true),
            None => (word.text, false),
        };
        if name.is_empty() || name.contains('*') || name.len() > Self::LENGTH {
            return Err(word.problem(FilterProblem::Comm(word.text.into())));
        }
        Ok(Self { name: name.into(), prefix })
    }

    /// The bytes that count, and what they are to be.
    pub fn bytes(&self) -> ([u64; 2], [u64; 2]) {
        let (mut mask, mut comm) = ([0xff_u8; 16], [0_u8; 16]);
        comm[..self.name.len()].copy_from_slice(self.name.as_bytes());
        if self.prefix {
            mask[self.name.len()..].fill(0);
        }
        (bytemuck::cast(mask), bytemuck::cast(comm))
    }
}

impl fmt::Display for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, if self.prefix { "*" } else { "" })
    }
}
