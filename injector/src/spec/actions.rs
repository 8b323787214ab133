//! The words behind the set of a rule on system calls: what happens, at which moment, to which of the
//! calls, and how often.

use crate::{
    spec::{
        comm::Comm,
        delay::{self, Delay},
        effect::{CallResult, Effect, Moment},
        errno::Errno,
        error::{Located, Problem},
        familiar,
        filter::{Filter, Test},
        model::{Scope, Trigger, When},
        nearest::{Near, nearest},
        netem::Distribution,
        object::{self, Chosen},
        problem::{CallProblem, FilterProblem, ValueProblem, WordProblem},
        signal::Signal,
        trigger,
        units::Probability,
        word::{Word, once},
    },
    syscalls::is_parameter,
};

/// Which of strace's two words introduced the rule.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// `inject=`, which has to say what happens.
    Inject,
    /// `fault=`, which means an error, ENOSYS if nothing is said.
    Fault,
}

/// What the words behind a set say.
pub(super) struct Parsed<'a> {
    pub(super) filter: Filter,
    /// The words of its tests.
    pub(super) asked: Vec<Word<'a>>,
    /// The first word that chooses files or sockets.
    pub(super) chosen_by: Option<Word<'a>>,
    pub(super) effect: Effect,
    pub(super) moment: Moment,
    pub(super) trigger: Trigger,
}

/// Reads the words behind `set`.
pub(super) fn parse<'a>(set: Word<'_>, words: Option<Word<'a>>, verb: Verb) -> Result<Parsed<'a>, Located> {
    let mut actions = Actions::default();
    // Empty words do not count, as in strace.
    for word in words.into_iter().flat_map(Word::guarded_pieces) {
        actions.read(word, verb)?;
    }
    let (delay_enter, delay_exit) = (actions.delay_enter, actions.delay_exit);
    let example = "delay_enter=10ms~2ms:distribution=normal";
    let distribution = delay::distribution(actions.distribution.take(), [delay_enter, delay_exit], example)?;
    let mut effect = Effect {
        result: actions.result.take().map(|(_, result)| result),
        signal: actions.signal,
        delay_enter,
        delay_exit,
        distribution,
    };
    if verb == Verb::Fault && effect.result.is_none() {
        effect.result = Some(CallResult::Errors(vec![(Errno::ENOSYS, 1)]));
    }
    if effect == Effect::default() {
        return Err(set.problem(CallProblem::NoAction(set.text.into())));
    }
    let trigger = Trigger {
        when: actions.when.unwrap_or(When::ALWAYS),
        probability: actions.probability.unwrap_or(Probability::ALWAYS),
        times: actions.times,
        scope: actions.scope.unwrap_or_default(),
    };
    let chosen_by = actions.chosen.names.first().copied();
    let filter = Filter { tests: actions.tests, comm: actions.comm, objects: actions.chosen.finish()? };
    let moment = actions.moment.map_or(Moment::Entry, |(_, moment)| moment);
    Ok(Parsed { filter, asked: actions.asked, chosen_by, effect, moment, trigger })
}

/// The words as far as they were read.
#[derive(Default)]
struct Actions<'a> {
    result: Option<(Word<'a>, CallResult)>,
    signal: Option<Signal>,
    delay_enter: Option<Delay>,
    delay_exit: Option<Delay>,
    distribution: Option<(Word<'a>, Distribution)>,
    moment: Option<(Word<'a>, Moment)>,
    tests: Vec<Test>,
    asked: Vec<Word<'a>>,
    comm: Option<Comm>,
    chosen: Chosen<'a>,
    when: Option<When>,
    probability: Option<Probability>,
    times: Option<u64>,
    scope: Option<Scope>,
}

/// The words besides those that choose objects, with an example each.
const WORDS: [(&str, &str); 14] = [
    ("error", "error=EIO"),
    ("retval", "retval=0"),
    ("signal", "signal=SIGUSR1"),
    ("delay_enter", "delay_enter=10ms"),
    ("delay_exit", "delay_exit=10ms"),
    ("distribution", "distribution=normal"),
    ("at", "at=exit"),
    ("on", "on=success"),
    ("fd", "fd=3"),
    ("comm", "comm=redis-server"),
    ("when", "when=3"),
    ("prob", "prob=5%"),
    ("times", "times=3"),
    ("scope", "scope=process"),
];

fn words() -> impl Iterator<Item = (&'static str, &'static str)> {
    WORDS.into_iter().chain(object::WORDS)
}

/// strace's `fault=` knows the error and when it comes (src/filter_qualify.c, `parse_inject_token`).
const NOT_A_FAULT: [&str; 7] =
    ["retval", "signal", "delay_enter", "delay_exit", "distribution", "poke_enter", "poke_exit"];

impl<'a> Actions<'a> {
    fn read(&mut self, word: Word<'a>, verb: Verb) -> Result<(), Located> {
        if Test::is_one(word.text) {
            return self.test(word);
        }
        let Some((name, value)) = word.split_once("=") else {
            return Err(word.problem(match self.chosen.port_of_peer(word) {
                near @ Some(_) => CallProblem::UnknownWord { word: word.text.into(), near }.into(),
                None => lone(word.text),
            }));
        };
        if verb == Verb::Fault && NOT_A_FAULT.contains(&name.text) {
            return Err(name.problem(CallProblem::NotAFault(format!("{}=", name.text))));
        }
        let Some((_, example)) = words().find(|(known, _)| *known == name.text) else {
            return self.unknown(word, name);
        };
        let value = given(name, value, example)?;
        match name.text {
            "error" => self.set_result(word, CallResult::errors(value)?),
            "retval" => self.set_result(word, CallResult::Value(return_value(value)?)),
            "signal" => once(&mut self.signal, Signal::parse(value)?, word),
            "delay_enter" => once(&mut self.delay_enter, Delay::parse(value)?, word),
            "delay_exit" => once(&mut self.delay_exit, Delay::parse(value)?, word),
            "distribution" => once(&mut self.distribution, (word, delay::named(value)?), word),
            "at" | "on" => self.set_moment(word, name, value),
            "comm" => once(&mut self.comm, Comm::parse(value)?, word),
            "path" | "peer" | "port" => self.chosen.read(word, name, value),
            // strace takes several, and the last one counts; a script that says two things means neither.
            "when" => once(&mut self.when, trigger::when(value)?, word),
            "prob" => once(&mut self.probability, Probability::parse(value)?, word),
            "times" => once(&mut self.times, trigger::times(value)?, word),
            _ => once(&mut self.scope, trigger::scope(value)?, word),
        }
    }

    /// A word that is none of ours: an argument's name, somebody else's, or a slip.
    fn unknown(&mut self, word: Word<'a>, name: Word<'a>) -> Result<(), Located> {
        match name.text {
            "syscall" => return Err(name.problem(CallProblem::OtherCall)),
            "poke_enter" | "poke_exit" => {
                return Err(name.problem(CallProblem::Poke(format!("{}=", name.text))));
            }
            _ => {}
        }
        if is_parameter(name.text) {
            return self.test(word);
        }
        let near =
            || nearest(name.text, words().map(|(known, _)| known)).map(|near| format!("{near}=").into());
        let near = delayed(word).or_else(|| familiar::call_word(name.text)).or_else(near);
        Err(name.problem(CallProblem::UnknownWord { word: name.text.into(), near }))
    }

    fn test(&mut self, word: Word<'a>) -> Result<(), Located> {
        if self.tests.len() == injector_common::argument::MAX_TESTS {
            return Err(word.problem(FilterProblem::TooManyTests(self.tests.len())));
        }
        self.tests.push(Test::parse(word)?);
        self.asked.push(word);
        Ok(())
    }

    /// strace takes one result, be it an error or a value.
    fn set_result(&mut self, word: Word<'a>, result: CallResult) -> Result<(), Located> {
        match &self.result {
            None => {
                self.result = Some((word, result));
                Ok(())
            }
            Some((first, earlier)) if std::mem::discriminant(earlier) == std::mem::discriminant(&result) => {
                let name = first.split_once("=").map_or(*first, |(name, _)| name);
                Err(word.problem(WordProblem::Twice(format!("{}=", name.text))))
            }
            Some((first, _)) => Err(word.problem(WordProblem::Contradiction {
                first: first.text.into(),
                second: word.text.into(),
                remedy: "a call returns one thing: keep one of the two".into(),
            })),
        }
    }

    /// `at=entry`, `at=exit`, `on=success` or `on=failure`; the last two say `at=exit` as well.
    fn set_moment(&mut self, word: Word<'a>, name: Word<'a>, value: Word<'a>) -> Result<(), Located> {
        let moment = match (name.text, value.text) {
            ("at", "entry") => Moment::Entry,
            ("at", "exit") => Moment::Exit,
            ("on", "success") => Moment::Success,
            ("on", "failure") => Moment::Failure,
            ("at", _) => return Err(value.problem(CallProblem::UnknownMoment(value.text.into()))),
            _ => return Err(value.problem(CallProblem::UnknownOutcome(value.text.into()))),
        };
        if let Some((first, earlier)) = self.moment {
            if first.text.split('=').next() == Some(name.text) {
                return Err(word.problem(WordProblem::Twice(format!("{}=", name.text))));
            }
            if earlier == Moment::Entry || moment == Moment::Entry {
                return Err(word.problem(WordProblem::Contradiction {
                    first: first.text.into(),
                    second: word.text.into(),
                    remedy: "what came of a call is known at its exit only: leave `at=entry` out".into(),
                }));
            }
        }
        // `on=` says more than `at=exit`.
        let moment =
            self.moment.map_or(moment, |(_, earlier)| if moment == Moment::Exit { earlier } else { moment });
        self.moment = Some((word, moment));
        Ok(())
    }
}

/// The value of a word, which must not be empty.
pub(super) fn given<'a>(name: Word<'_>, value: Word<'a>, example: &'static str) -> Result<Word<'a>, Located> {
    if value.text.is_empty() {
        return Err(name.problem(WordProblem::NoValue { word: format!("{}=", name.text), example }));
    }
    Ok(value)
}

/// `delay=`, which does not say at which end of the call.
fn delayed(word: Word<'_>) -> Option<Near> {
    let (_, time) = word.split_once("=").filter(|(name, _)| name.text == "delay")?;
    let _ = Delay::parse(time).ok()?;
    let time = time.text;
    let hint = format!(
        "write `delay_enter={time}` for a delay before the call, `delay_exit={time}` for one after it"
    );
    Some(Near::Otherwise(hint.into()))
}

/// `error=` in front of what is the name of an error.
pub(super) fn bare_errno(word: &str) -> Option<Near> {
    let named = word.starts_with(|first: char| first.is_ascii_alphabetic());
    (named && Errno::parse(Word::whole(word)).is_ok()).then(|| format!("error={word}").into())
}

/// A word without a `=`.
fn lone(word: &str) -> Problem {
    match WORDS.iter().find(|(name, _)| *name == word) {
        Some((name, example)) => WordProblem::NoValue { word: format!("{name}="), example }.into(),
        None if word == "syscall" => CallProblem::OtherCall.into(),
        None => {
            let near = || nearest(word, WORDS.iter().map(|(known, _)| *known));
            let near = bare_errno(word).or_else(|| near().map(|near| format!("{near}=").into()));
            CallProblem::UnknownWord { word: word.into(), near }.into()
        }
    }
}

/// strace's numbers here are C's: decimal, `0x` hexadecimal, a leading 0 for octal, 64 bits, a sign.
fn return_value(word: Word<'_>) -> Result<i64, Located> {
    let (negative, digits) = match word.text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.text),
    };
    let value = super::constant::c_number(digits).and_then(|number| {
        if negative { 0_i64.checked_sub_unsigned(number) } else { Some(number.cast_signed()) }
    });
    value.ok_or_else(|| word.problem(ValueProblem::ReturnValue(word.text.into())))
}
