//! Lines of a growing file: each one that matches is a good sample, due when it was read. Nothing is due without a line, so
//! the watermark goes on by itself.

use std::{path::PathBuf, time::Duration};

use regex::bytes::Regex;

use crate::{
    clock::{self, nanoseconds},
    experiment::{
        answer::{Answer, number},
        failure::Failure,
        model::Probe,
        probe::log::tail::Tail,
        sample::{Outcome, Sample},
        source::{Outlet, SourceError, Stop, Timer},
    },
};

mod tail;

/// How often it is looked for new lines.
const POLL: Duration = Duration::from_millis(100);

/// Follows a file from its end on, from the moment of the call, until it is told to stop. That it cannot be read is a bad
/// sample, one each `every` of the probe.
pub(super) async fn follow(
    probe: &Probe,
    file: PathBuf,
    pattern: &Regex,
    start: u64,
    mut stop: Stop,
    outlet: &Outlet,
) -> Result<(), SourceError> {
    let timer = Timer::new().map_err(SourceError::Timer)?;
    let mut tail = Tail::at_the_end_of(file);
    let poll = nanoseconds(POLL.min(probe.every)).max(1);
    let (mut next, mut failing_until, mut made, mut stopped) = (start, 0, 0, false);
    outlet.complete_until(start);
    while !stopped {
        tokio::select! {
            () = stop.given() => stopped = true,
            result = timer.until(next) => result.map_err(SourceError::Timer)?,
        }
        let begun = clock::now();
        let mut deliver = |outcome| {
            let now = clock::now();
            outlet.deliver(Sample { number: made, due: now, start: now, end: now, outcome });
            made += 1;
        };
        let pattern = pattern.clone();
        let reading = move || {
            let mut found = Vec::new();
            let result = tail.read(|line| {
                if pattern.is_match(line) {
                    found.push(line.to_vec());
                }
            });
            (tail, found, result)
        };
        // A file system that hangs keeps nobody else.
        let Ok((back, found, result)) = tokio::task::spawn_blocking(reading).await else { return Ok(()) };
        tail = back;
        for line in found {
            deliver(match number(probe.value.as_ref(), &Answer::plain(line)) {
                Ok(number) => Outcome::Good(number),
                Err(failure) => Outcome::Bad(failure.to_string()),
            });
        }
        if let Err(error) = result
            && begun >= failing_until
        {
            deliver(Outcome::Bad(Failure::from(error).to_string()));
            failing_until = begun.saturating_add(nanoseconds(probe.every));
        }
        outlet.complete_until(begun);
        next = next.max(begun.saturating_sub(poll)).saturating_add(poll);
    }
    Ok(())
}
