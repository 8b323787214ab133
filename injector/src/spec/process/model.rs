//! What was asked of processes: the rule that the `--process` grammar yields, and its printed form.

use std::{fmt, time::Duration};

use crate::spec::{comm::Comm, quantity::show_time, signal::Signal, trigger::Trigger};

/// Processes that stand still for a while, or get a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRule {
    /// What happens to them.
    pub action: ProcessAction,
    /// How long after the plan begins to act the first round comes; zero for at once.
    pub after: Duration,
    /// How long it is from the beginning of a round to that of the next; `None` if there is only one.
    pub every: Option<Duration>,
    /// By which name; `None` for all. Never there with a pause.
    pub comm: Option<Comm>,
    /// In which rounds, with which chance, how often; its scope is the default, and means nothing.
    pub trigger: Trigger,
}

impl ProcessRule {
    /// Is somebody to stand still?
    pub fn pauses(&self) -> bool {
        matches!(self.action, ProcessAction::Pause { .. })
    }
}

/// What happens to processes in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessAction {
    /// All of a target stand still.
    Pause {
        /// For how long; `None` for as long as the rule lasts. Shorter than the time from round to round.
        length: Option<Duration>,
    },
    /// Each gets a signal.
    Kill(Signal),
}

impl fmt::Display for ProcessRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: Duration| show_time(crate::clock::nanoseconds(time));
        match self.action {
            ProcessAction::Pause { length } => {
                f.write_str("pause")?;
                if let Some(length) = length {
                    write!(f, ":for={}", time(length))?;
                }
            }
            ProcessAction::Kill(signal) => write!(f, "kill {signal}")?,
        }
        if !self.after.is_zero() {
            write!(f, ":after={}", time(self.after))?;
        }
        if let Some(every) = self.every {
            write!(f, ":every={}", time(every))?;
        }
        if let Some(comm) = &self.comm {
            write!(f, ":comm={comm}")?;
        }
        self.trigger.fmt(f)
    }
}
