//! An experiment as data: what `file` reads, what `check` looks at and what `run` does. Nothing here touches the system.
//!
//! Durations are [`Duration`]s, rates are per second, shares are fractions from 0 to 1.

mod action;
mod fault;
mod lab;
mod load;
mod place;
mod probe;
mod step;
mod target;
mod template;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

pub(crate) use self::template::{Piece, pieces};
pub use self::{
    action::{Action, CommandLine, Deed, HttpRequest},
    fault::{Curve, Cut, CutFrom, Fault, Part, ProcessFault, Pulse, RuleTemplate, Vary, Way},
    lab::{Lab, Limits, Network, Ready, ReadyCheck, Restart, Service},
    load::{Expect, Figures, JsonExpect, Load, LoadKind},
    place::{Located, Place},
    probe::{Metric, Probe, ProbeKind, ValueOf},
    step::{Capture, Captured, Every, Step, StepKind},
    target::TargetChoice,
    template::{Missing, Template},
};
use crate::experiment::condition::Condition;

/// How long an experiment takes at most unless its file says otherwise.
pub const DEADLINE: Duration = Duration::from_mins(15);

/// A whole experiment, with its parameters filled in.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// What it is called.
    pub title: String,
    /// What it is about.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Who does what: role -> person. `commander` answers `--step`.
    pub roles: BTreeMap<String, String>,
    /// The parameters with the values of this run.
    pub parameters: BTreeMap<String, Parameter>,
    /// The seed of everything that is drawn; drawn itself if the file has none.
    pub seed: Option<u64>,
    /// How long the whole run may take. [`DEADLINE`].
    pub deadline: Duration,
    /// What the run itself starts.
    pub lab: Option<Lab>,
    /// What runs already, by name. Services of the lab are targets by their own names and are not in here.
    pub targets: BTreeMap<String, TargetChoice>,
    /// What is asked of the system all the while, by name.
    pub loads: BTreeMap<String, Load>,
    /// What is looked at all the while, by name.
    pub probes: BTreeMap<String, Probe>,
    /// What holds when nothing is broken.
    pub steady: Option<Steady>,
    /// What is believed of the system.
    pub hypothesis: Option<Hypothesis>,
    /// What is done to it, one step after the other.
    pub method: Vec<Step>,
    /// Any of these ends the run.
    pub abort: Vec<Located<Condition>>,
    /// Done in this order when the faults are off, always once the method has begun.
    pub rollback: Vec<Action>,
    /// Where reports are written beside the run's folder.
    pub report: ReportPaths,
}

/// A parameter's value in this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What the strings of the file have in its place.
    pub value: String,
    /// Neither the journal nor a report may have it.
    pub secret: bool,
    /// What the file says of it.
    pub description: Option<String>,
}

/// The steady state.
#[derive(Clone, Debug)]
pub struct Steady {
    /// It must hold for so long at a stretch. 10 s.
    pub lasting: Duration,
    /// At the latest after this. 60 s.
    pub within: Duration,
    /// All of these together.
    pub hold: Vec<Located<Condition>>,
}

/// What is judged.
#[derive(Clone, Debug)]
pub struct Hypothesis {
    /// In the words of whoever believes it.
    pub text: String,
    /// From the first step to the end of the last fault. Those of the steady state unless the file says otherwise.
    pub during: Vec<Located<Condition>>,
    /// When the faults are off.
    pub recovery: Option<Recovery>,
    /// When it has recovered.
    pub after: Vec<Located<Condition>>,
    /// Judge the bound of this confidence (0.95) rather than the estimate.
    pub confidence: Option<f64>,
}

/// How the system comes back when the faults are off.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// The longest that it may take.
    pub within: Duration,
    /// It is back when the conditions have held for so long. 5 s.
    pub settle: Duration,
    /// Those of the steady state unless the file says otherwise.
    pub hold: Vec<Located<Condition>>,
}

/// Where reports are written, relative to the run's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportPaths {
    /// The page for people.
    pub html: Option<PathBuf>,
    /// The data.
    pub json: Option<PathBuf>,
    /// For a CI system.
    pub junit: Option<PathBuf>,
}
