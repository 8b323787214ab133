//! What happens to a call that a rule fires on: another result, a signal, a delay; and at which moment.

use std::fmt;

use crate::spec::{
    delay::{self, Delay},
    errno::Errno,
    error::Located,
    netem::Distribution,
    problem::{ValueProblem, WordProblem},
    signal::Signal,
    word::Word,
};

/// All of it; at least one is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// What the caller gets; `None` for the call's own result.
    pub result: Option<CallResult>,
    /// Sent to the thread.
    pub signal: Option<Signal>,
    /// Before the call.
    pub delay_enter: Option<Delay>,
    /// Behind it.
    pub delay_exit: Option<Delay>,
    /// How the jitter of both spreads.
    pub distribution: Distribution,
}

impl Effect {
    /// Is somebody to wait?
    pub fn delays(&self) -> bool {
        self.delay_enter.is_some() || self.delay_exit.is_some()
    }
}

/// What a caller gets in place of its call's own result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// The call fails: `error=`. One of these, by their weights; never empty.
    Errors(Vec<(Errno, u32)>),
    /// The call returns this: `retval=`. A value from -4095 to -1 is seen as an error by the C library,
    /// and a 32-bit caller sees the low half only.
    Value(i64),
}

impl CallResult {
    /// The kernel's return values, each once: negative errnos, or the value itself.
    pub fn values(&self) -> Vec<i64> {
        match self {
            Self::Errors(errors) => errors.iter().map(|(errno, _)| -i64::from(errno.number())).collect(),
            Self::Value(value) => vec![*value],
        }
    }

    /// Reads `EIO`, or `EIO*3/ENOSPC`: three times as often as the other.
    pub(super) fn errors(word: Word<'_>) -> Result<Self, Located> {
        let mut errors: Vec<(Errno, u32)> = Vec::new();
        for piece in word.pieces('/') {
            let (name, weight) = match piece.split_once("*") {
                None => (piece, 1),
                Some((name, weight)) => {
                    let known = weight.decimal::<u32>().filter(|weight| (1..=MAX_WEIGHT).contains(weight));
                    (name, known.ok_or_else(|| weight.problem(ValueProblem::Weight(weight.text.into())))?)
                }
            };
            if name.text.is_empty() {
                return Err(piece
                    .problem(WordProblem::NoValue { word: "error=".into(), example: "error=EIO*3/ENOSPC" }));
            }
            let errno = Errno::parse(name)?;
            if errors.iter().any(|(known, _)| *known == errno) {
                return Err(piece.problem(ValueProblem::ErrnoTwice(errno.to_string())));
            }
            errors.push((errno, weight));
        }
        if errors.is_empty() {
            return Err(word.problem(ValueProblem::ErrnoRange(word.text.into())));
        }
        if errors.len() > injector_common::rule::MAX_CHOICES {
            return Err(word.problem(ValueProblem::TooManyErrnos(errors.len())));
        }
        Ok(Self::Errors(errors))
    }
}

/// The highest weight: the sum of all still divides 2^32 finely.
const MAX_WEIGHT: u32 = 10_000;

impl fmt::Display for CallResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors(errors) => {
                f.write_str("error=")?;
                for (nth, (errno, weight)) in errors.iter().enumerate() {
                    write!(f, "{}{errno}", if nth == 0 { "" } else { "/" })?;
                    if *weight != 1 {
                        write!(f, "*{weight}")?;
                    }
                }
                Ok(())
            }
            Self::Value(value) => write!(f, "retval={value}"),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        words.extend(self.result.as_ref().map(ToString::to_string));
        words.extend(self.signal.map(|signal| format!("signal={signal}")));
        words.extend(self.delay_enter.map(|delay| format!("delay_enter={delay}")));
        words.extend(self.delay_exit.map(|delay| format!("delay_exit={delay}")));
        f.write_str(&words.join(":"))?;
        delay::show(&self.distribution, f)
    }
}

/// When a rule acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moment {
    /// Before the call, which does not run if it gets another result.
    #[default]
    Entry,
    /// `at=exit`: when it has run.
    Exit,
    /// `on=success`: when it has run, and well.
    Success,
    /// `on=failure`: when it has run, and failed.
    Failure,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entry => "",
            Self::Exit => ":at=exit",
            Self::Success => ":on=success",
            Self::Failure => ":on=failure",
        })
    }
}
