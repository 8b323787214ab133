//! The words behind the set of a rule on system calls: what the callers get, and when.

use super::{
    errno::Errno,
    error::{Located, Problem},
    model::{CallResult, Trigger, When},
    nearest::nearest,
    trigger,
    units::Probability,
    word::Word,
};

/// Which of strace's two words introduced the rule.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// `inject=`, which has to say what happens.
    Inject,
    /// `fault=`, which means an error, ENOSYS if nothing is said.
    Fault,
}

/// Reads the words behind `set`: what its callers get, and which of the calls fire.
pub(super) fn parse(
    set: Word<'_>,
    words: Option<Word<'_>>,
    verb: Verb,
) -> Result<(CallResult, Trigger), Located> {
    let mut actions = Actions::default();
    // Empty words do not count, as in strace.
    for word in words.into_iter().flat_map(|words| words.pieces(':')) {
        actions.read(word, verb)?;
    }
    let result = match (actions.result, verb) {
        (Some((_, result)), _) => result,
        (None, Verb::Fault) => CallResult::Error(Errno::ENOSYS),
        (None, Verb::Inject) => return Err(set.problem(Problem::NoAction(set.text.into()))),
    };
    let trigger = Trigger {
        when: actions.when.unwrap_or(When::ALWAYS),
        probability: actions.probability.unwrap_or(Probability::ALWAYS),
        times: actions.times,
    };
    Ok((result, trigger))
}

/// The words as far as they were read.
#[derive(Default)]
struct Actions<'a> {
    result: Option<(Word<'a>, CallResult)>,
    when: Option<When>,
    probability: Option<Probability>,
    times: Option<u64>,
}

impl<'a> Actions<'a> {
    fn read(&mut self, word: Word<'a>, verb: Verb) -> Result<(), Located> {
        let Some((name, value)) = word.split_once("=") else {
            return Err(word.problem(lone(word.text)));
        };
        match name.text {
            "error" => {
                let value = given(name, value, "error=EIO")?;
                self.set_result(word, CallResult::Error(Errno::parse(value)?))
            }
            "retval" if verb == Verb::Fault => Err(name.problem(Problem::NotAFault("retval=".into()))),
            "retval" => {
                let value = given(name, value, "retval=0")?;
                self.set_result(word, CallResult::Value(return_value(value)?))
            }
            // As in strace, of several the last one counts.
            "when" => {
                self.when = Some(trigger::when(given(name, value, "when=3")?)?);
                Ok(())
            }
            "prob" => {
                let probability = Probability::parse(given(name, value, "prob=5%")?)?;
                once(&mut self.probability, probability, word)
            }
            "times" => {
                let times = trigger::times(given(name, value, "times=3")?)?;
                once(&mut self.times, times, word)
            }
            other => Err(name.problem(unknown(other))),
        }
    }

    /// strace takes one result, be it an error or a value.
    fn set_result(&mut self, word: Word<'a>, result: CallResult) -> Result<(), Located> {
        match self.result {
            None => {
                self.result = Some((word, result));
                Ok(())
            }
            Some((first, earlier)) if std::mem::discriminant(&earlier) == std::mem::discriminant(&result) => {
                let name = first.split_once("=").map_or(first, |(name, _)| name);
                Err(word.problem(Problem::Twice(format!("{}=", name.text))))
            }
            Some((first, _)) => Err(word.problem(Problem::Contradiction {
                first: first.text.into(),
                second: word.text.into(),
                remedy: "a call returns one thing: keep one of the two".into(),
            })),
        }
    }
}

/// The value of a word, which must not be empty.
pub(super) fn given<'a>(name: Word<'_>, value: Word<'a>, example: &'static str) -> Result<Word<'a>, Located> {
    if value.text.is_empty() {
        return Err(name.problem(Problem::NoValue { word: format!("{}=", name.text), example }));
    }
    Ok(value)
}

/// Notes what may be given once only.
pub(super) fn once<T>(slot: &mut Option<T>, value: T, word: Word<'_>) -> Result<(), Located> {
    if slot.replace(value).is_some() {
        let name = word.split_once("=").map_or(word, |(name, _)| name);
        return Err(word.problem(Problem::Twice(format!("{}=", name.text))));
    }
    Ok(())
}

/// A word without a `=`.
fn lone(word: &str) -> Problem {
    const EXAMPLES: [(&str, &str); 5] = [
        ("error", "error=EIO"),
        ("retval", "retval=0"),
        ("when", "when=3"),
        ("prob", "prob=5%"),
        ("times", "times=3"),
    ];
    match EXAMPLES.iter().find(|(name, _)| *name == word) {
        Some((name, example)) => Problem::NoValue { word: format!("{name}="), example },
        None => unknown(word),
    }
}

/// Words of the design that this version does not do yet.
const LATER: [(&str, &str); 15] = [
    ("signal", "this version takes error= and retval="),
    ("delay_enter", "this version takes error= and retval="),
    ("delay_exit", "this version takes error= and retval="),
    ("poke_enter", "this version takes error= and retval="),
    ("poke_exit", "this version takes error= and retval="),
    ("path", "choose calls by name, number of call and chance"),
    ("fd", "choose calls by name, number of call and chance"),
    ("port", "choose calls by name, number of call and chance"),
    ("peer", "choose calls by name, number of call and chance"),
    ("comm", "choose the process with --pid or --cgroup"),
    ("at", "faults act at a call's entry"),
    ("on", "faults act at a call's entry"),
    ("scope", "calls are counted per thread, as in strace"),
    ("delay", "this version takes error= and retval="),
    ("arg", "choose calls by name, number of call and chance"),
];

/// A word that is not one of ours: one for later, one that cannot be done, or a slip.
fn unknown(word: &str) -> Problem {
    const WORDS: [&str; 5] = ["error", "retval", "when", "prob", "times"];
    if word == "syscall" {
        return Problem::OtherCall;
    }
    let argument =
        word.strip_prefix("arg").is_some_and(|n| n.len() == 1 && n.bytes().all(|n| n.is_ascii_digit()));
    let known = if argument { "arg" } else { word };
    if let Some((_, instead)) = LATER.iter().find(|(later, _)| *later == known) {
        return Problem::NotYet { word: format!("{word}="), instead };
    }
    Problem::UnknownWord { word: word.into(), near: nearest(word, WORDS).map(|near| format!("{near}=")) }
}

/// strace's numbers here are C's: decimal, `0x` hexadecimal, a leading 0 for octal, 64 bits, a sign.
fn return_value(word: Word<'_>) -> Result<i64, Located> {
    let (negative, digits) = match word.text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.text),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u64::from_str_radix(digits, radix).ok().filter(|_| plain);
    let value = number.and_then(|number| {
        if negative { 0_i64.checked_sub_unsigned(number) } else { Some(number.cast_signed()) }
    });
    value.ok_or_else(|| word.problem(Problem::ReturnValue(word.text.into())))
}
