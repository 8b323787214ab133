//! Which of a rule's matches fire: strace's `when=`, `prob=`, `times=` and `scope=`, and the words for them.

use std::fmt;

use crate::spec::{error::Located, problem::TriggerProblem, units::Probability, word::Word};

/// Which of the events that match a rule also fire. All parts have to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// By number, counted from 1.
    pub when: When,
    /// By chance.
    pub probability: Probability,
    /// At most this many in all; `None` for no limit, never 0.
    pub times: Option<u64>,
    /// Whose events are counted together.
    pub scope: Scope,
}

/// Whose matches `when=` and the draws count together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Each thread's and each call's by themselves, as in strace.
    #[default]
    Thread,
    /// Those of all threads of a process, for each call.
    Process,
    /// All of the rule.
    Rule,
}

impl Scope {
    /// The word of the grammar.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Thread => "thread",
            Self::Process => "process",
            Self::Rule => "rule",
        }
    }
}

impl Trigger {
    /// Every event fires.
    pub const ALWAYS: Self =
        Self { when: When::ALWAYS, probability: Probability::ALWAYS, times: None, scope: Scope::Thread };
}

impl fmt::Display for Trigger {
    /// Nothing for what is at its default, else `:name=value` each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.when != When::ALWAYS {
            write!(f, ":when={}", self.when)?;
        }
        if self.probability != Probability::ALWAYS {
            write!(f, ":prob={}", self.probability)?;
        }
        if let Some(times) = self.times {
            write!(f, ":times={times}")?;
        }
        match self.scope {
            Scope::Thread => Ok(()),
            other => write!(f, ":scope={}", other.word()),
        }
    }
}

/// strace's `when=first..last+step`: the `first` match, then every `step`-th one up to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// The first match that fires, 1 to 65535.
    pub first: u32,
    /// The last match that may fire, `first` to 65535; `None` for no end.
    pub last: Option<u32>,
    /// The distance between matches that fire, 1 to 65535.
    pub step: u32,
}

impl When {
    /// Every match.
    pub const ALWAYS: Self = Self { first: 1, last: None, step: 1 };
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, step } = self;
        match last {
            Some(last) if last == first => return write!(f, "{first}"),
            Some(last) => write!(f, "{first}..{last}")?,
            None if *step == 1 => return write!(f, "{first}+"),
            None => write!(f, "{first}")?,
        }
        if *step == 1 { Ok(()) } else { write!(f, "+{step}") }
    }
}

/// The highest number that strace counts to.
const COUNT_LIMIT: u32 = 0xffff;

/// The highest last call: 65535 means "no end" inside strace, which refuses it from the user.
const LAST_LIMIT: u32 = COUNT_LIMIT - 1;

/// `first`, `first+`, `first+step`, `first..last`, `first..last+` or `first..last+step`.
pub(super) fn when(word: Word<'_>) -> Result<When, Located> {
    let (range, step) = match word.split_once("+") {
        Some((range, step)) => (range, Some(step)),
        None => (word, None),
    };
    let (first, last) = match range.split_once("..") {
        Some((first, last)) => (count(word, first, COUNT_LIMIT)?, Some(count(word, last, LAST_LIMIT)?)),
        None => (count(word, range, COUNT_LIMIT)?, None),
    };
    if first == 0 {
        return Err(range.problem(TriggerProblem::WhenZero));
    }
    if let Some(last) = last.filter(|last| *last < first) {
        return Err(range.problem(TriggerProblem::WhenOrder { first, last }));
    }
    let every = match step.filter(|step| !step.text.is_empty()) {
        None => 1,
        Some(step) => match count(word, step, COUNT_LIMIT)? {
            0 => return Err(step.problem(TriggerProblem::StepZero)),
            every => every,
        },
    };
    Ok(match (last, step) {
        // A lone number means that call only; behind a `+` it is where an endless range begins.
        (None, None) => When { first, last: Some(first), step: 1 },
        // Of a range of one call there is no next one.
        (Some(last), _) if last == first => When { first, last: Some(last), step: 1 },
        (last, _) => When { first, last, step: every },
    })
}

/// One of the numbers in `when`.
fn count(when: Word<'_>, number: Word<'_>, limit: u32) -> Result<u32, Located> {
    if number.text.is_empty() || !number.text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(when.problem(TriggerProblem::When(when.text.into())));
    }
    let within = number.decimal::<u32>().filter(|number| *number <= limit);
    within.ok_or_else(|| number.problem(TriggerProblem::WhenRange { number: number.text.into(), limit }))
}

/// A number of times, from 1.
pub(super) fn times(word: Word<'_>) -> Result<u64, Located> {
    match word.decimal() {
        Some(0) => Err(word.problem(TriggerProblem::NeverByTimes)),
        Some(times) => Ok(times),
        None => Err(word.problem(TriggerProblem::Times(word.text.into()))),
    }
}

/// `thread`, `process` or `rule`.
pub(super) fn scope(word: Word<'_>) -> Result<Scope, Located> {
    let known =
        [Scope::Thread, Scope::Process, Scope::Rule].into_iter().find(|scope| scope.word() == word.text);
    known.ok_or_else(|| word.problem(TriggerProblem::Scope(word.text.into())))
}
