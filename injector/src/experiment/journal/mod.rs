//! The journal: what happened, a line of JSON each, from which the report is made.

mod phase;
mod record;

pub use self::{
    phase::Phase,
    record::{Moment, Record, RuleCounters, StepEnd, Undo},
};
