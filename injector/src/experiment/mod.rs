//! Experiments: a file that says what must hold, breaks things over time, and reports what happened.
//!
//! text -> `file` -> `model` -> `check` -> `run` (with `lab`, `load`, `probe`) -> `journal` -> `judge` -> `report`.
//! What decides is pure: the report is made from the journal alone, by the code that also judges the live run.

pub mod condition;
pub mod file;
pub mod journal;
pub mod model;
pub mod namespaces;
pub mod sample;
pub mod variables;
