//! The words of a rule that say which of the matches fire: strace's `when=`, and `times=`.

use crate::spec::{
    error::{Located, Problem},
    model::{Scope, When},
    word::Word,
};

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
        return Err(range.problem(Problem::WhenZero));
    }
    if let Some(last) = last.filter(|last| *last < first) {
        return Err(range.problem(Problem::WhenOrder { first, last }));
    }
    let every = match step.filter(|step| !step.text.is_empty()) {
        None => 1,
        Some(step) => match count(word, step, COUNT_LIMIT)? {
            0 => return Err(step.problem(Problem::StepZero)),
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
        return Err(when.problem(Problem::When(when.text.into())));
    }
    let within = number.decimal::<u32>().filter(|number| *number <= limit);
    within.ok_or_else(|| number.problem(Problem::WhenRange { number: number.text.into(), limit }))
}

/// A number of times, from 1.
pub(super) fn times(word: Word<'_>) -> Result<u64, Located> {
    match word.decimal() {
        Some(0) => Err(word.problem(Problem::NeverByTimes)),
        Some(times) => Ok(times),
        None => Err(word.problem(Problem::Times(word.text.into()))),
    }
}

/// `thread`, `process` or `rule`.
pub(super) fn scope(word: Word<'_>) -> Result<Scope, Located> {
    match word.text {
        "thread" => Ok(Scope::Thread),
        "process" => Ok(Scope::Process),
        "rule" => Ok(Scope::Rule),
        _ => Err(word.problem(Problem::Scope(word.text.into()))),
    }
}
