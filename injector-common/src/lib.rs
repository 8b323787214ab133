//! What the kernel side and user space share: the layouts that cross between them, and every decision
//! as a pure function.
//!
//! The BPF programs gather what they can see (which task, which call, which packet), ask this crate
//! what to do, and do it. So the probability of being right is decided here, on the host, by tests.
//! No allocation, no panics, no floating point: the verifier accepts all of it.
#![cfg_attr(target_arch = "bpf", no_std)]

pub mod address_set;
pub mod argument;
pub mod call;
pub mod cell;
pub mod chance;
pub mod code;
pub mod config;
pub mod counters;
pub mod decide;
pub mod delay;
pub mod dns;
pub mod event;
pub mod flow;
pub mod glob;
pub mod kfunc;
pub mod loss;
pub mod name;
pub mod netem;
pub mod object;
pub mod packet;
pub mod plan;
pub mod queue;
pub mod random;
pub mod rate;
pub mod reject;
pub mod reorder;
pub mod rule;
pub mod session;
pub mod shared;
pub mod sleep;
#[cfg(test)]
mod statistics;
pub mod thread;
pub mod timing;
pub mod trigger;
pub mod wait;

/// Rules that one plan can hold at a time.
pub const MAX_RULES: usize = 64;

/// Rules that one plan can have had in the course of its changes. A rule's number is below this, and is
/// never given to another one: its counters stay what they were, for the report.
pub const RULE_NUMBERS: usize = 1024;

/// Entries of the rules' table: one for each number, and behind them one for each rule of a plan, where a rule that goes on
/// with other numbers is written while its old entry is still met.
pub const RULE_ENTRIES: usize = RULE_NUMBERS + MAX_RULES;

/// Target cgroups, with all their descendants, that one plan can follow.
pub const MAX_CGROUPS: u32 = 65_536;
