//! Sources of samples, which loads and probes are: a fixed schedule, where samples go, and up to when they are complete.

mod generator;
mod ledger;
mod outlet;
mod schedule;
mod stop;
#[cfg(test)]
mod tests;
mod timer;

pub use self::{
    generator::{Limits, Turn, generate},
    ledger::Ledger,
    outlet::{Outlet, Samples, Watermark},
    schedule::Schedule,
    stop::Stop,
    timer::Timer,
};

/// A source that cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot go where it is to be made.
    #[error(transparent)]
    Place(#[from] crate::experiment::namespaces::PlaceError),
    /// Without a timer nothing is done when it is due.
    #[error("cannot make a timer: {0}")]
    Timer(#[source] std::io::Error),
}

impl SourceError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Place(error) => error.hint(),
            Self::Timer(_) => "see how many files may be open: `ulimit -n`",
        }
    }
}
