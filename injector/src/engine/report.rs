//! The report at the end of a plan: the counters of every rule, and what they do not cover, such as skipped runs and lost
//! events. Printed by the command line, as JSON or as a table.

use std::borrow::Cow;

use injector_common::{
    counters::{Counters, MONITORED, REASON_NAMES, Traffic},
    queue::{Queue, least},
};
use serde::{Deserialize, Serialize};

use crate::kernel::installation::sleep::Shortfall;

/// One rule's numbers. `matched` is `fired` plus all that is suppressed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RuleReport {
    /// Its number, from 0.
    pub rule: u32,
    /// Its text.
    pub text: String,
    /// Was it taken away by a change of the plan?
    pub removed: bool,
    /// Calls or packets that it means.
    pub matched: u64,
    /// Faults that happened.
    pub fired: u64,
    /// Matches that were no fault, by reason; only reasons that occurred.
    pub suppressed: std::collections::BTreeMap<Cow<'static, str>, u64>,
    /// Of a rule on packets that has met some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<PacketsReport>,
    /// Of a rule that has delayed some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<DelayReport>,
}

/// How late a rule made packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelayReport {
    /// Packets that wait now.
    pub waiting: u64,
    /// Their bytes, with Ethernet's header.
    pub waiting_bytes: u64,
    /// The mean of all, in nanoseconds.
    pub mean_ns: u64,
    /// How many were how late, in ascending order; only steps in which there are any.
    pub steps: Vec<DelayStep>,
}

/// Packets by their delay: from this one up to twice as much, the first step from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelayStep {
    /// The least, in nanoseconds.
    pub from_ns: u64,
    /// How many.
    pub packets: u64,
}

impl DelayReport {
    fn new(queue: &Queue) -> Option<Self> {
        let packets: u64 = queue.delays.iter().sum();
        let all = queue.delays.iter().enumerate();
        let steps = all
            .filter(|&(_, &packets)| packets > 0)
            .map(|(step, &packets)| DelayStep { from_ns: least(step), packets });
        Some(Self {
            waiting: queue.waiting,
            waiting_bytes: queue.bytes,
            mean_ns: queue.added.checked_div(packets)?,
            steps: steps.collect(),
        })
    }
}

/// What a rule on packets did. One packet can meet several things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketsReport {
    /// Bytes of the packets that it means, from the IP header on.
    pub bytes: u64,
    /// Packets that were dropped.
    pub dropped: u64,
    /// Packets that went out twice.
    pub duplicated: u64,
    /// Packets with a bit that was turned.
    pub corrupted: u64,
    /// Packets that waited.
    pub delayed: u64,
    /// Packets that overtook those that wait.
    pub reordered: u64,
    /// Packets that were dropped since too many waited; `dropped` has them, too.
    pub overflowed: u64,
    /// Packets that were answered in the name of whom they were for.
    pub answered: u64,
}

impl RuleReport {
    /// What a rule's counters say; `removed` if a change of the plan took it away.
    pub fn new(rule: u32, text: &str, counters: &Counters, removed: bool) -> Self {
        let suppressed = REASON_NAMES
            .iter()
            .map(|&(reason, name)| (name.into(), counters.suppressed[reason as usize]))
            .filter(|&(_, count)| count > 0);
        Self {
            rule,
            text: text.into(),
            removed,
            matched: counters.matched,
            fired: counters.fired,
            suppressed: suppressed.collect(),
            packets: None,
            delay: None,
        }
    }

    /// The same with what it did to packets, where it met any, and with its queue, where it delayed any.
    #[must_use]
    pub fn with(self, traffic: Traffic, queue: &Queue) -> Self {
        let Traffic { bytes, dropped, duplicated, corrupted, delayed, reordered, overflowed, answered } =
            traffic;
        let met = traffic != Traffic::default();
        let report =
            PacketsReport { bytes, dropped, duplicated, corrupted, delayed, reordered, overflowed, answered };
        Self { packets: met.then_some(report), delay: DelayReport::new(queue), ..self }
    }

    /// Faults that happened, or would have in a plan that only monitors.
    pub fn effective(&self) -> u64 {
        self.fired + self.suppressed.get(MONITORED).copied().unwrap_or_default()
    }
}

/// The whole story.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Version of this report.
    pub schema: u32,
    /// The plan.
    pub plan: String,
    /// The seed of its draws.
    pub seed: u64,
    /// Was it only watching?
    pub monitor: bool,
    /// The rules.
    pub rules: Vec<RuleReport>,
    /// Runs of a program that the kernel skipped, by function: calls that met no rule, because one was under way on
    /// the same CPU, or because a kretprobe had no room for one more.
    pub skipped: std::collections::BTreeMap<String, u64>,
    /// Events that did not fit the ring buffer; the counters have them.
    pub lost_events: u64,
    /// Cgroups below a target that did not fit the table; their tasks met no rule.
    pub lost_cgroups: u64,
    /// How often a target came back under its name after it had gone, by target; only those that did.
    pub returns: std::collections::BTreeMap<String, u64>,
    /// Delays that did not happen, or not wholly.
    pub delays: Shortfall,
    /// Why the plan was ended, if it could not go on.
    pub aborted: Option<String>,
    /// Is nothing left behind?
    pub clean: bool,
    /// What happened to targets, and other things to know.
    pub notes: Vec<String>,
}

impl Report {
    /// Rules that never fired; not those that were taken away, maybe before they could.
    pub fn idle(&self) -> impl Iterator<Item = &RuleReport> {
        self.rules.iter().filter(|rule| !rule.removed && rule.effective() == 0)
    }
}
