//! The steps of the method.

use std::time::Duration;

use crate::experiment::{
    condition::Condition,
    model::{Action, CommandLine, Expect, Fault, Located, Place, Template},
};

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it is in the method, by names: `leader-cut`, `parallel/worse`, `repeat/kill`. Seeds depend on it, so that a
    /// step more changes no other step's draws. Unique.
    pub path: String,
    /// When it is due, from the start of its list; after the step before if there is none.
    pub at: Option<Duration>,
    /// What the report says of it.
    pub note: Option<String>,
    /// What is done.
    pub kind: StepKind,
    /// In the file.
    pub place: Place,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// A fault acts.
    Fault(Box<Fault>),
    /// Nothing, for so long.
    Wait(Duration),
    /// Nothing until this is so; the method ends if that takes longer than `within` (30 s).
    Until {
        /// What.
        condition: Located<Condition>,
        /// For how long it is waited for.
        within: Duration,
    },
    /// A judgement on the phase so far, which is part of the hypothesis.
    Check(Vec<Located<Condition>>),
    /// Names get values.
    Set(Vec<Capture>),
    /// An action.
    Run(Action),
    /// All at once; over when the last one is.
    Parallel(Vec<Step>),
    /// One after the other.
    Sequence(Vec<Step>),
    /// The same again.
    Repeat {
        /// How often.
        times: u32,
        /// From one start to the next; at once if there is none.
        every: Option<Every>,
        /// What.
        steps: Vec<Step>,
    },
}

/// When a repetition begins.
#[derive(Clone, Debug)]
pub enum Every {
    /// So long after the start of the one before. One that takes longer delays the next, and the report says so.
    Interval(Duration),
    /// At the times of a cron expression, in UTC.
    Cron(Box<croner::Cron>),
}

/// A name that gets a value.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The name.
    pub name: Located<String>,
    /// Where its value comes from.
    pub from: Captured,
}

/// Where a captured value comes from.
#[derive(Clone, Debug)]
pub enum Captured {
    /// The output of a command.
    Command {
        /// What is run.
        command: CommandLine,
        /// The service in whose network namespace it is run.
        inside: Option<String>,
        /// It fails when it takes longer. 30 s.
        timeout: Duration,
        /// `matches` takes the first group, `json` what is there; else the whole without the white space around it.
        expect: Expect,
    },
    /// The last number of a probe.
    Probe(Located<String>),
    /// Some of these, drawn from the seed, with a comma between them.
    AnyOf {
        /// All that may be drawn.
        choices: Vec<Template>,
        /// How many are.
        count: usize,
    },
}
