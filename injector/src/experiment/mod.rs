//! Experiments: a file that says what must hold, breaks things over time, and reports what happened.
//!
//! text -> `file` -> `model` -> `check` -> `run` (with `lab`, `load`, `probe`) -> `journal` -> `judge` -> `report`.
//! What decides is pure: the report is made from the journal alone, by the code that also judges the live run.

pub mod action;
pub mod answer;
pub mod check;
pub mod command;
pub mod condition;
pub mod failure;
pub mod file;
pub mod http;
pub mod journal;
pub mod judge;
pub mod lab;
mod lines;
pub mod load;
pub mod model;
pub mod namespaces;
pub mod probe;
pub mod report;
pub mod run;
pub mod sample;
pub mod schedule;
pub mod source;
#[cfg(test)]
mod testing;
pub mod variables;
pub mod warden;
