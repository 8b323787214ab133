//! Whether an answer is as expected. All of what `expect` says must be so; the first of it that is not is the reason.

use std::time::Duration;

use crate::experiment::{
    answer::{Answer, Ending},
    failure::Failure,
    model::{Expect, JsonExpect},
};

/// Judges an answer that was there `latency` after it was due.
///
/// # Errors
/// [`Failure`]: the first thing that is not as expected.
pub fn judge(expect: &Expect, answer: &Answer, latency: Duration) -> Result<(), Failure> {
    let ends_well = match answer.ending {
        Ending::Http(status) => expect.status.contains(&status),
        Ending::Exit(code) => code == expect.exit,
        Ending::Signal(_) => false,
        Ending::Plain => true,
    };
    if !ends_well {
        return Err(Failure::Ending(answer.ending));
    }
    if expect.matches.as_ref().is_some_and(|pattern| !pattern.is_match(&answer.text)) {
        return Err(Failure::Mismatch(answer.noun()));
    }
    if let Some(json) = &expect.json {
        json_is(json, answer)?;
    }
    if expect.within.is_some_and(|within| latency > within) { Err(Failure::TooSlow) } else { Ok(()) }
}

fn json_is(expect: &JsonExpect, answer: &Answer) -> Result<(), Failure> {
    let value = serde_json::from_slice(&answer.text).map_err(|_| Failure::NoJson(answer.noun()))?;
    let found = expect.path.query(&value);
    let fits = match &expect.equals {
        Some(wanted) => !found.is_empty() && found.iter().all(|value| equal(value, wanted)),
        None => !found.is_empty(),
    };
    if fits { Ok(()) } else { Err(Failure::Json) }
}

/// Equal as JSON values; of numbers, 1 and 1.0 are the same.
fn equal(value: &serde_json::Value, wanted: &serde_json::Value) -> bool {
    match (value.as_f64(), wanted.as_f64()) {
        (Some(value), Some(wanted)) => value.total_cmp(&wanted).is_eq(),
        _ => value == wanted,
    }
}
