//! The journal: what happened, a line of JSON each, from which the report is made.

mod phase;
mod reader;
mod record;
mod writer;

pub use self::{
    phase::Phase,
    reader::{JournalError, read},
    record::{Moment, Record, RuleCounters, StepEnd, Undo},
    writer::{FILE, Writer},
};
