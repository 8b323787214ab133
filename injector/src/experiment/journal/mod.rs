//! The journal: what happened, a line of JSON each, from which the report is made.

mod record;

pub use self::record::{Moment, Phase, Record, RuleCounters, StepEnd, Undo};
