//! What others may ask of a live plan (`injector change`), as text: the request, the answer, and the
//! owner's side. Whoever asks says which revision of the plan that was about, so that of two changes at
//! the same time one is made and the other refused. And they say what files and host names in the rules stand for,
//! since the plan's injector must not wait for a disk or a name server.

use std::{io, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clock,
    engine::{Blame, EngineError, live::Live, update::Outside},
    kernel::live::{control::Message, enclosure::Enclosure},
    plan::Change,
    resolver::Hosts,
    spec::{self, SpecError, model::Rule},
    syscalls::Machine,
};

/// After this time nobody waits for an answer any more, and a request is void.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Which of the grammars a rule is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grammar {
    /// `-e`.
    Expression,
    /// `--syscall`.
    Syscall,
    /// `--net`.
    Net,
    /// `--io`.
    Io,
    /// `--process`.
    Process,
}

impl Grammar {
    /// Parses a rule.
    ///
    /// # Errors
    /// The grammar's: an unknown word, a value out of range, words that exclude each other. The error marks
    /// the place.
    pub fn parse(self, text: &str) -> Result<Rule, SpecError> {
        match self {
            Self::Expression => spec::expression(text, Machine::HOST),
            Self::Syscall => spec::syscall(text, Machine::HOST),
            Self::Net => spec::net(text),
            Self::Io => spec::operation(text),
            Self::Process => spec::process(text),
        }
    }
}

/// A change that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The revision of the plan that was looked at.
    pub revision: u32,
    /// When, `CLOCK_BOOTTIME` nanoseconds.
    pub time: u64,
    /// All rules of the plan as it is to be; none to leave them as they are.
    pub rules: Vec<(Grammar, String)>,
    /// What the hosts in the rules are, or why that is not known.
    #[serde(default)]
    pub hosts: Hosts,
    /// What the files in the rules say.
    #[serde(default)]
    pub tables: Tables,
    /// Another end.
    pub until: Option<Until>,
    /// `--unsafe`.
    pub allow_unsafe: bool,
}

/// Distributions of files: an [`Enclosure`] with a table for each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tables {
    /// The enclosure's number; means nothing where there are no files.
    pub map: u32,
    /// The files, as the rules have them.
    pub files: Vec<PathBuf>,
}

/// When a plan is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Until {
    /// After so long from now.
    After(Duration),
    /// With its injector.
    Forever,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It is done. No rules were given where there is no change.
    Done(Option<Change>),
    /// It is not, and nothing has changed.
    Refused {
        /// What failed on which object, and the cause.
        message: String,
        /// What to do.
        hint: String,
        /// Whose fault it is.
        blame: Blame,
    },
}

impl Answer {
    fn refused(message: impl Into<String>, hint: impl Into<String>, blame: Blame) -> Self {
        Self::Refused { message: message.into(), hint: hint.into(), blame }
    }

    /// The same without what can be long, so that it fits a message.
    fn shortened(mut self) -> Self {
        const ENOUGH: usize = 4096;
        match &mut self {
            Self::Done(None) => {}
            Self::Done(Some(change)) => {
                let Change { kept, adjusted, added, removed, .. } = change;
                for rule in kept.iter_mut().chain(adjusted).chain(added).chain(removed) {
                    rule.text = "…".into();
                }
                change.notes = vec!["the rules and the notes are too long to be told here".into()];
            }
            Self::Refused { message, .. } => message.truncate(message.floor_char_boundary(ENOUGH)),
        }
        self
    }
}

impl From<EngineError> for Answer {
    fn from(error: EngineError) -> Self {
        Self::refused(error.to_string(), error.hint(), error.blame())
    }
}

/// What has come with a request.
fn outside(request: &Request) -> Result<Outside, Answer> {
    let Tables { map, files } = &request.tables;
    let tables = match files.len() {
        0 => Vec::new(),
        count => Enclosure::read(*map, count).map_err(|error| {
            Answer::refused(
                format!("cannot read the distributions that came with the request: {error}"),
                "`injector change` must live until it is answered; try again",
                Blame::Other,
            )
        })?,
    };
    Ok(Outside { files: files.iter().cloned().zip(tables).collect(), hosts: request.hosts.clone() })
}

impl Live {
    /// Does what somebody has asked for, if anybody has.
    pub(super) fn serve(&mut self) {
        let message = match self.listed.control.take() {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "cannot look for requests");
                return;
            }
        };
        let answer = match serde_json::from_str(&message.text) {
            Ok(request) => self.answer(&request),
            Err(error) => Answer::refused(
                format!("the plan's injector does not understand the request: {error}"),
                "use the same version of injector for both",
                Blame::Other,
            ),
        };
        tracing::info!(?answer, "asked for a change");
        let text = serde_json::to_string(&answer).unwrap_or_default();
        let told = self.listed.control.answer(&Message { ticket: message.ticket, text });
        let told = match told {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let text = serde_json::to_string(&answer.shortened()).unwrap_or_default();
                self.listed.control.answer(&Message { ticket: message.ticket, text })
            }
            told => told,
        };
        if let Err(error) = told {
            tracing::warn!(%error, "cannot answer a request");
        }
        self.release();
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if clock::now().saturating_sub(request.time) > clock::nanoseconds(PATIENCE) {
            return Answer::refused("the request is too old", "try again", Blame::Other);
        }
        if request.revision != self.listed.revision() {
            return Answer::refused(
                "somebody else has changed the plan at the same time",
                "see what it is now with `injector ps`, and try again",
                Blame::Other,
            );
        }
        self.change(request).unwrap_or_else(|answer| answer)
    }

    fn change(&mut self, request: &Request) -> Result<Answer, Answer> {
        let rules: Result<Vec<_>, _> =
            request.rules.iter().map(|(grammar, text)| grammar.parse(text)).collect();
        let rules = rules.map_err(|error| Answer::refused(error.to_string(), error.hint(), Blame::Usage))?;
        let end = request.until.map(|until| match until {
            Until::After(time) => Some(time),
            Until::Forever => None,
        });
        // Before anything is changed: all of the request is done, or nothing.
        if let Some(end) = end {
            self.policy.check_duration(end).map_err(EngineError::from)?;
        }
        let change = if rules.is_empty() {
            None
        } else {
            Some(self.replace(rules, &outside(request)?, request.allow_unsafe)?)
        };
        if let Some(end) = end {
            self.prolong(end)?;
        }
        Ok(Answer::Done(change))
    }
}
