//! What a program and the process of a plan say to each other: a line of JSON each.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    engine::{Blame, End, EngineError, Report, RuleReport},
    plan::{Change, Options},
    spec::model::Rule,
    target::{Name, Target, TargetError},
};

/// What the plan is to be.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begin {
    pub(super) rules: Vec<Rule>,
    pub(super) targets: Vec<Whom>,
    pub(super) options: Options,
    /// Where each fault is written to, a line of JSON each.
    #[serde(default)]
    pub(super) log: Option<PathBuf>,
}

/// A target, by name.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Whom {
    Cgroup(PathBuf),
    Named(Name),
    Process(u32),
}

impl From<&Target> for Whom {
    fn from(target: &Target) -> Self {
        match target {
            Target::Cgroup(cgroup) => match cgroup.called() {
                Some(name) => Self::Named(name.clone()),
                None => Self::Cgroup(cgroup.path().to_owned()),
            },
            Target::Process(process) => Self::Process(process.pid()),
        }
    }
}

impl Whom {
    pub(super) fn open(&self) -> Result<Target, TargetError> {
        match self {
            Self::Cgroup(path) => Target::cgroup(path),
            Self::Named(name) => Target::named(name),
            Self::Process(pid) => Target::pid(*pid),
        }
    }
}

/// What the program asks.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    Update(Vec<Rule>),
    Pause { rule: u32, paused: bool },
    Rules,
    Prolong(Option<Duration>),
    Finish,
}

/// What the process answers, or says unasked (`Ended`).
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Begun { id: String, notes: Vec<String> },
    Changed(Change),
    Paused(Option<u64>),
    Rules(Vec<RuleReport>),
    Prolonged,
    Finished(Box<Report>),
    Ended(End),
    Refused { message: String, hint: String, blame: Blame },
}

impl From<EngineError> for Reply {
    fn from(error: EngineError) -> Self {
        Self::Refused { message: error.to_string(), hint: error.hint(), blame: error.blame() }
    }
}
