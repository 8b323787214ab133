//! The report as data, which report.json has. Times are seconds from the beginning of the run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::experiment::{
    journal::{Phase, RuleCounters, StepEnd},
    judge::{Truth, interval::Interval},
    report::verdict::{Reason, Verdict},
};

/// All that is said of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Of this shape: 1.
    pub schema: u32,
    /// The experiment's.
    pub title: String,
    /// What was believed.
    pub hypothesis: Option<String>,
    /// What came of it.
    pub verdict: Verdict,
    /// The exit code of the verdict.
    pub code: u8,
    /// The verdict in a sentence, with the number that decided.
    pub sentence: String,
    /// All that speaks against `held`, the weightiest first.
    pub reasons: Vec<Reason>,
    /// The run's name.
    pub run: String,
    /// The injector's version.
    pub version: String,
    /// Seconds since 1970.
    pub started: f64,
    /// How long it took.
    pub duration: f64,
    /// The seed.
    pub seed: u64,
    /// Nothing was injected.
    pub monitor: bool,
    /// Parameters but secrets.
    pub parameters: BTreeMap<String, String>,
    /// What `set` steps captured.
    pub captured: BTreeMap<String, String>,
    /// Those that there were.
    pub phases: Vec<PhaseReport>,
    /// How it came back.
    pub recovery: RecoveryReport,
    /// Each condition that was judged.
    pub conditions: Vec<ConditionReport>,
    /// Each time that a fault acted.
    pub faults: Vec<FaultReport>,
    /// Each load and probe.
    pub sources: Vec<SourceReport>,
    /// Each step that began.
    pub steps: Vec<StepReport>,
    /// What else happened: notes, signals, services, rollback.
    pub told: Vec<Told>,
}

/// A phase.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseReport {
    /// Which.
    pub phase: Phase,
    /// From here.
    pub begin: f64,
    /// To here.
    pub end: f64,
}

/// How the system came back, counted from the last moment at which a fault acted (`healed`), where nothing else is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryReport {
    /// The first step of the method began.
    pub broken: Option<f64>,
    /// The last moment at which a fault acted.
    pub healed: Option<f64>,
    /// From `broken` to the end of the first window in which a condition of `during` was false.
    pub detected_after: Option<f64>,
    /// From `healed` to the second from which the recovery's conditions held.
    pub recovered_after: Option<f64>,
    /// The steady state was back before the faults were off.
    pub healed_under_fault: bool,
}

/// Where a condition stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// `steady`, before anything was broken.
    Before,
    /// `hypothesis.during`.
    During,
    /// A `check` step.
    Check,
    /// `hypothesis.recovery`.
    Recovery,
    /// `hypothesis.after`.
    After,
    /// `steady`, when the rollback was done.
    Verify,
}

/// What a number counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share from 0 to 1.
    Share,
    /// Seconds.
    Seconds,
    /// Pieces, or whatever a probe counts.
    Number,
}

/// A condition and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionReport {
    /// As the file has it.
    pub condition: String,
    /// Where it stands.
    pub role: Role,
    /// Whether it was so.
    pub truth: Truth,
    /// What was measured in the window that decided.
    pub measured: Option<f64>,
    /// What it was compared with.
    pub bound: Option<f64>,
    /// Of both.
    pub unit: Unit,
    /// How many samples that window has.
    pub samples: u64,
    /// How many it needs.
    pub needed: u64,
    /// Where the truth may lie.
    pub interval: Option<Interval>,
    /// The window that decided: from here.
    pub begin: f64,
    /// To here.
    pub end: f64,
}

/// One time that a fault acted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaultReport {
    /// The fault.
    pub fault: String,
    /// Its step's path, with the repetition.
    pub path: String,
    /// From here.
    pub begin: f64,
    /// To here.
    pub end: Option<f64>,
    /// What its rules counted.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub rules: Vec<RuleCounters>,
    /// Ramps and pulses: when, and what it was from then on.
    pub changes: Vec<(f64, String)>,
}

/// A load or a probe, phase by phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourceReport {
    /// Its name.
    pub name: String,
    /// What `low` to `high` and the percentiles are of.
    pub unit: Unit,
    /// By phase.
    #[schemars(with = "BTreeMap<String, Figures>")]
    pub phases: BTreeMap<Phase, Figures>,
}

/// A source in a phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// How many samples.
    pub samples: u64,
    /// How many of them were good.
    pub good: u64,
    /// The share of the others.
    pub errors: Option<f64>,
    /// Where it may lie, each end with 95 %.
    pub errors_interval: Option<Interval>,
    /// Why the others were not good.
    pub reasons: Vec<(String, u64)>,
    /// How many began late.
    pub late: u64,
    /// The longest stretch without a good one, seconds.
    pub outage: Option<f64>,
    /// The median by nearest rank.
    pub p50: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
    /// The 99th.
    pub p99: Option<f64>,
    /// The greatest.
    pub max: Option<f64>,
}

/// A step that began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepReport {
    /// Its path.
    pub path: String,
    /// What it was.
    pub what: String,
    /// What the file notes on it.
    pub note: Option<String>,
    /// When it was due.
    pub due: f64,
    /// When it began.
    pub begin: f64,
    /// When it ended.
    pub end: Option<f64>,
    /// How it ended.
    #[schemars(with = "Option<serde_json::Value>")]
    pub ended: Option<StepEnd>,
}

/// Something else that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// When.
    pub at: f64,
    /// What it is about: `note`, `warning`, `abort`, `unclean`, `failed`, `rollback`, a service.
    pub about: String,
    /// What.
    pub text: String,
}
