//! Rules on processes: `pause[:for=TIME]` or `kill SIGNAL[:comm=NAME]`, with `after=TIME`, `every=TIME`, `when=`, `prob=`
//! and `times=` as for calls; what `when=` counts are the rounds.

pub mod model;
pub mod problem;

use std::time::Duration;

use crate::spec::{
    actions::given,
    comm::Comm,
    error::{Located, SpecError},
    familiar,
    model::{Rule, RuleKind},
    nearest::{Near, nearest},
    process::{
        model::{ProcessAction, ProcessRule},
        problem::ProcessProblem,
    },
    qualifier::unqualified,
    quantity::{self, show_time},
    signal::Signal,
    trigger::{self, Scope, Trigger, When},
    units::Probability,
    user_space::UserSpaceRule,
    word::{Word, once},
};

/// A round takes a few milliseconds: freezing a cgroup and seeing that it is done.
const SHORTEST_ROUND: Duration = Duration::from_millis(10);

/// Nobody means longer ones, and clocks cannot overflow.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// Reads `ACTION[:WORD…]`, what follows `--process`.
///
/// # Errors
/// The text is no rule on processes: what is wrong with it, where, and what to write instead.
pub fn process(text: &str) -> Result<Rule, SpecError> {
    let kind = unqualified(text).and_then(rule).map_err(|located| SpecError::new("rule", text, located))?;
    Ok(Rule { text: text.to_owned(), kind })
}

pub(super) fn rule(text: Word<'_>) -> Result<RuleKind, Located> {
    let (action, words) = text.split_once(":").map_or((text, None), |(action, words)| (action, Some(words)));
    let kind = kind(action)?;
    let mut given = Words::default();
    for word in words.into_iter().flat_map(Word::guarded_pieces) {
        given.read(word, kind)?;
    }
    given.finish(kind).map(UserSpaceRule::Process).map(RuleKind::UserSpace)
}

/// What happens, before its length is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pause,
    Kill(Signal),
}

fn kind(action: Word<'_>) -> Result<Kind, Located> {
    let mut words = action.words();
    let Some(name) = words.next() else { return Err(action.problem(ProcessProblem::NoAction)) };
    let kind = match name.text {
        "pause" => Kind::Pause,
        "kill" => {
            let Some(word) = words.next() else {
                return Err(name.problem(ProcessProblem::NoSignal));
            };
            let signal = Signal::parse(word)?;
            if signal.stops() {
                return Err(word.problem(ProcessProblem::Stops(signal.to_string())));
            }
            Kind::Kill(signal)
        }
        other => {
            let near = || nearest(other, ["pause", "kill"]).map(Into::into);
            let number = other.bytes().all(|byte| byte.is_ascii_digit());
            let pid = || Near::Otherwise(format!("name a process by `--pid {other}`").into());
            let near = number.then(pid).or_else(|| familiar::process_action(other)).or_else(near);
            return Err(name.problem(ProcessProblem::UnknownAction { word: other.into(), near }));
        }
    };
    match words.next() {
        None => Ok(kind),
        Some(surplus) => {
            // Blanks where colons belong.
            let lasts = kind == Kind::Pause && time(surplus).is_ok();
            let instead = (lasts || surplus.text.contains('=')).then(|| {
                let head = match kind {
                    Kind::Pause => "pause".into(),
                    Kind::Kill(signal) => format!("kill {signal}"),
                };
                let rest: Vec<_> = words.map(|word| format!(":{}", word.text)).collect();
                let name = if lasts { "for=" } else { "" };
                format!("{head}:{name}{}{}", surplus.text, rest.concat())
            });
            Err(surplus.problem(ProcessProblem::Surplus { word: surplus.text.into(), instead }))
        }
    }
}

/// The words as far as they were read.
#[derive(Default)]
struct Words<'a> {
    length: Option<Duration>,
    every: Option<Duration>,
    every_word: Option<Word<'a>>,
    length_word: Option<Word<'a>>,
    when_word: Option<Word<'a>>,
    after: Option<Duration>,
    comm: Option<Comm>,
    when: Option<When>,
    probability: Option<Probability>,
    times: Option<u64>,
}

/// The words, with an example each.
const WORDS: [(&str, &str); 7] = [
    ("for", "for=2s"),
    ("every", "every=10s"),
    ("after", "after=5s"),
    ("comm", "comm=redis-server"),
    ("when", "when=3"),
    ("prob", "prob=5%"),
    ("times", "times=3"),
];

impl<'a> Words<'a> {
    fn read(&mut self, word: Word<'a>, kind: Kind) -> Result<(), Located> {
        let (name, value) = word.split_once("=").unwrap_or((word, word.until_start()));
        let Some((_, example)) = WORDS.into_iter().find(|(known, _)| *known == name.text) else {
            let known = WORDS.iter().map(|(known, _)| *known);
            let near = || nearest(name.text, known).map(|near| format!("{near}=").into());
            let near = familiar::process_word(name.text).or_else(near);
            return Err(name.problem(ProcessProblem::UnknownWord { word: name.text.into(), near }));
        };
        let value = given(name, value, example)?;
        match (name.text, kind) {
            ("for", Kind::Kill(_)) => Err(name.problem(ProcessProblem::KillHasNoLength)),
            ("comm", Kind::Pause) => Err(name.problem(ProcessProblem::PausesAll)),
            ("for", Kind::Pause) => {
                self.length_word = Some(word);
                once(&mut self.length, time(value)?, word)
            }
            ("every", _) => {
                self.every_word = Some(word);
                let every = time(value)?;
                if every < SHORTEST_ROUND {
                    return Err(value.problem(ProcessProblem::TooOften(value.text.into())));
                }
                once(&mut self.every, every, word)
            }
            ("after", _) => once(&mut self.after, time(value)?, word),
            ("comm", _) => once(&mut self.comm, Comm::parse(value)?, word),
            ("when", _) => {
                self.when_word = Some(word);
                once(&mut self.when, trigger::when(value)?, word)
            }
            ("prob", _) => once(&mut self.probability, Probability::parse(value)?, word),
            _ => once(&mut self.times, trigger::times(value)?, word),
        }
    }

    fn finish(self, kind: Kind) -> Result<ProcessRule, Located> {
        let action = match kind {
            Kind::Pause => ProcessAction::Pause { length: self.length },
            Kind::Kill(signal) => ProcessAction::Kill(signal),
        };
        if let (Kind::Pause, Some(word), Some(every)) = (kind, self.every_word, self.every) {
            match (self.length, self.length_word) {
                (Some(length), Some(longer)) if length >= every => {
                    let [length, every] =
                        [length, every].map(|time| show_time(crate::clock::nanoseconds(time)));
                    return Err(longer.problem(ProcessProblem::Overlaps { length, every }));
                }
                (None, _) => return Err(word.problem(ProcessProblem::Endless)),
                _ => {}
            }
        }
        if let (Some(word), None) = (self.when_word, self.every) {
            return Err(word.problem(ProcessProblem::OneRound));
        }
        Ok(ProcessRule {
            action,
            after: self.after.unwrap_or_default(),
            every: self.every,
            comm: self.comm,
            trigger: Trigger {
                when: self.when.unwrap_or(When::ALWAYS),
                probability: self.probability.unwrap_or(Probability::ALWAYS),
                times: self.times,
                scope: Scope::default(),
            },
        })
    }
}

/// A time above zero, with its unit.
fn time(word: Word<'_>) -> Result<Duration, Located> {
    match Duration::from_nanos(quantity::time(word)?) {
        Duration::ZERO => Err(word.problem(ProcessProblem::NoTime(word.text.into()))),
        time if time > LONGEST => Err(word.problem(ProcessProblem::TooLong(word.text.into()))),
        time => Ok(time),
    }
}
