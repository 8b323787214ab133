//! The records of a journal. Times are nanoseconds of `CLOCK_BOOTTIME`.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::experiment::{journal::phase::Phase, judge::Judgement, sample::Batch};

/// A record and when it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// When, nanoseconds of `CLOCK_BOOTTIME`.
    pub at: u64,
    /// What.
    #[serde(flatten)]
    pub record: Record,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// The run began. The first record.
    Begun {
        /// The injector's version.
        version: String,
        /// The run's name, which is also its folder's.
        run: String,
        /// Seconds since 1970, for people only.
        wall: f64,
        /// The seed of this run.
        seed: u64,
        /// Parameters that are no secrets.
        parameters: BTreeMap<String, String>,
        /// The experiment's text as it was read.
        text: String,
        /// Nothing was injected (`--monitor`).
        monitor: bool,
    },
    /// A phase began, which ends the one before.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// A source's samples of one second of a phase, complete.
    Samples {
        /// The load or probe.
        source: String,
        /// The phase in which they were due.
        phase: Phase,
        /// The second, counted from the phase's beginning.
        second: u32,
        /// What they were.
        batch: Batch,
    },
    /// A step is about to begin. It was due at `due`.
    Step {
        /// Its path, with the repetition: `repeat[2]/kill`.
        path: String,
        /// When it was due.
        due: u64,
        /// What it is, in a few words.
        what: String,
        /// What the file notes on it.
        note: Option<String>,
    },
    /// A step waits for whoever leads the run.
    Waiting {
        /// Its path.
        path: String,
        /// What it is.
        what: String,
    },
    /// The step acts: from this moment, as the kernel tells it.
    Acting {
        /// Its path.
        path: String,
        /// Since when.
        since: u64,
        /// The rules that act now, as text.
        rules: Vec<String>,
    },
    /// A pulse or ramp changed what a fault does.
    Changed {
        /// The step's path.
        path: String,
        /// Since when.
        since: u64,
        /// What it is now: `idle`, `active`, `late=120ms`.
        to: String,
    },
    /// The step is over.
    Ended {
        /// Its path.
        path: String,
        /// Why.
        end: StepEnd,
        /// The last moment at which a fault of it acted.
        until: u64,
    },
    /// The counters of a fault's rules, at the end of each activation and once a second.
    Counters {
        /// The fault's step.
        path: String,
        /// The fault's name.
        fault: String,
        /// One for each rule, in their order.
        rules: Vec<RuleCounters>,
    },
    /// A `check` step was judged, on what was known by then.
    Checked {
        /// The step's path.
        path: String,
        /// One for each condition, in their order.
        judgements: Vec<Judgement>,
    },
    /// A name got a value.
    Set {
        /// The name.
        name: String,
        /// Its value.
        value: String,
    },
    /// About to do something that has to be undone. Written before it is done.
    Will {
        /// What will undo it.
        undo: Undo,
    },
    /// That is undone.
    Undone {
        /// What was.
        undo: Undo,
    },
    /// A service of the lab did something.
    Service {
        /// Which.
        name: String,
        /// `started`, `ready`, `exited 1`, `killed SIGKILL`, `restarted`.
        event: String,
    },
    /// A rollback action ended.
    Rollback {
        /// As the file has it.
        action: String,
        /// What failed; nothing if it did not.
        failure: Option<String>,
    },
    /// Somebody said something.
    Note {
        /// Who, where that is known.
        by: Option<String>,
        /// What.
        text: String,
    },
    /// The run was told to end early.
    Abort {
        /// Why: `SIGINT`, `deadline`, the condition.
        reason: String,
        /// It was a condition of `abort`, a person, or the deadline; not a failure of ours.
        asked: bool,
    },
    /// Something could not be done or left behind; the run is unclean.
    Unclean {
        /// What.
        what: String,
    },
    /// Something that the user ought to know.
    Warning {
        /// What.
        text: String,
    },
    /// The run could not go on: nothing was broken, or the method ended early.
    Failed {
        /// Why.
        why: String,
    },
    /// The last record of a run that came to its own end.
    Finished,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEnd {
    /// As planned.
    Done,
    /// The run was aborted.
    Aborted,
    /// It was left out: `--step` was answered so.
    Skipped,
    /// It failed, and the method with it.
    Failed(String),
}

/// What a rule has counted since its step began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCounters {
    /// Its text.
    pub rule: String,
    /// Calls or packets that it met.
    pub matched: u64,
    /// Faults; with `--monitor` none.
    pub fired: u64,
    /// With `--monitor`, what would have been faults.
    pub would_fire: u64,
    /// Matches that were no fault, by reason.
    pub suppressed: BTreeMap<String, u64>,
}

/// What undoes an act, by whoever is left to do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// Kill everything in a cgroup, and remove it with all below.
    RemoveCgroup(PathBuf),
    /// Let a frozen cgroup run.
    Thaw(PathBuf),
    /// Write this into a file of a cgroup.
    Write {
        /// The file.
        file: PathBuf,
        /// Its content.
        content: String,
    },
}
