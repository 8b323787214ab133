//! What a live plan is about and how far it has come, as data: a row of `ps` and an element of its JSON.

use std::sync::atomic::Ordering::Relaxed;

use injector_common::shared::alive;
use serde::{Deserialize, Serialize};

use crate::{clock, kernel::live::registry::LivePlan};

/// One live plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The plan, as `stop` takes it.
    pub id: String,
    /// What it is called, if it was given a name.
    pub name: Option<String>,
    /// The injector's process number; absent when it is in another pid namespace.
    pub pid: Option<u32>,
    /// Who started it.
    pub user: String,
    /// Does it only count?
    pub monitor: bool,
    /// Has it no rule at the moment?
    pub idle: bool,
    /// Seconds since it was applied.
    pub age_seconds: u64,
    /// Seconds until it ends by itself; absent when it does not.
    pub remaining_seconds: Option<u64>,
    /// False when the injector has not renewed its lease: its faults have ended.
    pub acting: bool,
    /// The command that it is for, if `run` started one.
    #[serde(default)]
    pub command: Option<String>,
    /// What it is put on, in words.
    pub targets: Vec<String>,
    /// Its rules; none where they are too long to be listed.
    pub rules: Vec<RuleStatus>,
}

/// One rule of a live plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStatus {
    /// Its number, as in the report.
    pub rule: u32,
    /// As it was typed.
    pub text: String,
    /// Events that met its conditions.
    pub matched: u64,
    /// Faults.
    pub fired: u64,
    /// Is it switched off?
    pub paused: bool,
}

impl Status {
    /// What `plan` is now.
    pub fn of(plan: &LivePlan) -> Self {
        let now = clock::now();
        let shared = plan.shared().ok();
        let (deadline, lease) = shared
            .as_ref()
            .map_or((0, 0), |shared| (shared.deadline.load(Relaxed), shared.lease.load(Relaxed)));
        let counters = plan.counters().unwrap_or_default();
        let rules = plan.rules().into_iter().filter_map(|(rule, text)| {
            let counters = counters.get(rule as usize)?;
            let paused = shared.as_ref().is_some_and(|shared| shared.is_paused(rule));
            Some(RuleStatus { rule, text, matched: counters.matched, fired: counters.fired, paused })
        });
        Self {
            id: plan.id(),
            name: plan.said("name").pop(),
            pid: plan.pid(),
            user: plan.said("user").pop().unwrap_or_default(),
            monitor: plan.said("monitor").first().is_some_and(|value| value == "1"),
            idle: plan.said("idle").first().is_some_and(|value| value == "1"),
            age_seconds: now.saturating_sub(plan.header.started) / 1_000_000_000,
            remaining_seconds: (deadline != u64::MAX).then(|| deadline.saturating_sub(now) / 1_000_000_000),
            acting: alive(now, deadline, lease),
            command: plan.said("command").pop(),
            targets: plan.said("target"),
            rules: rules.collect(),
        }
    }
}
