//! An open loop: each operation begins when it is due, whether or not the ones before have been answered, so a system that
//! stalls cannot hide it (coordinated omission).
//!
//! An operation *starts* when the generator takes it up: on time, unless the generator itself is too slow. If it then has to
//! wait for one of the `at-once` places, its latency goes on, for that counts from its due time. Its `timeout` counts from
//! when it has its place. Else, of a crowd, only those would be let in whose time is almost over: all would fail, and none
//! because of the system. One that waits for a place longer than `timeout` is given up.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinSet},
    time::timeout,
};

use crate::{
    clock,
    experiment::{
        failure::Failure,
        sample::{Outcome, Sample},
        source::{Outlet, Schedule, SourceError, Stop, Timer},
    },
};

/// What bounds an operation.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// It fails when it takes longer, or does not get one of the places for so long.
    pub timeout: Duration,
    /// More do not run at once.
    pub at_once: usize,
}

/// One operation to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Its number, from 0.
    pub number: u64,
    /// When it was due.
    pub due: u64,
}

impl Turn {
    /// How long ago it was due.
    pub fn latency(self) -> Duration {
        Duration::from_nanos(clock::now().saturating_sub(self.due))
    }
}

/// Makes operations until it is told to stop, and then waits for those that are under way: for a timeout at most, and for
/// two if some have no place yet. Gives how many there were. Who drops the future gives them up.
///
/// # Errors
/// [`SourceError`]: there is no timer.
pub async fn generate<F, Fut>(
    schedule: Schedule,
    limits: Limits,
    mut stop: Stop,
    outlet: &Outlet,
    operation: F,
) -> Result<u64, SourceError>
where
    F: Fn(Turn) -> Fut,
    Fut: Future<Output = Result<Option<f64>, Failure>> + Send + 'static,
{
    let timer = Timer::new().map_err(SourceError::Timer)?;
    let places = Arc::new(Semaphore::new(limits.at_once.max(1)));
    let mut running = JoinSet::new();
    let mut pending = BTreeSet::new();
    let mut next = 0;
    // What is due by the word to stop is made, too.
    let mut last = None;
    loop {
        while schedule.due(next) <= last.unwrap_or_else(clock::now) {
            let turn = Turn { number: next, due: schedule.due(next) };
            running.spawn(made(turn, limits.timeout, Arc::clone(&places), operation(turn)));
            pending.insert(next);
            next += 1;
        }
        outlet.complete_until(schedule.due(pending.first().copied().unwrap_or(next)));
        if last.is_some() && running.is_empty() {
            return Ok(next);
        }
        tokio::select! {
            biased;
            () = stop.given(), if last.is_none() => last = Some(clock::now()),
            Some(done) = running.join_next() => deliver(done, &mut pending, outlet),
            result = timer.until(schedule.due(next)), if last.is_none() => result.map_err(SourceError::Timer)?,
        }
    }
}

fn deliver(done: Result<Sample, JoinError>, pending: &mut BTreeSet<u64>, outlet: &Outlet) {
    match done {
        Ok(sample) => {
            pending.remove(&sample.number);
            outlet.deliver(sample);
        }
        // It is a mistake of ours, and must not look like a sample that never was.
        Err(error) => {
            if let Ok(panic) = error.try_into_panic() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// One operation, from its start to its end.
async fn made(
    turn: Turn,
    limit: Duration,
    places: Arc<Semaphore>,
    operation: impl Future<Output = Result<Option<f64>, Failure>>,
) -> Sample {
    let start = clock::now();
    let result = async {
        // The semaphore is never closed.
        let _place = timeout(limit, places.acquire()).await.map_err(|_| Failure::Crowded)?;
        timeout(limit, operation).await.map_err(|_| Failure::Timeout)?
    };
    let outcome = match result.await {
        Ok(number) => Outcome::Good(number),
        Err(failure) => Outcome::Bad(failure.to_string()),
    };
    Sample { number: turn.number, due: turn.due, start, end: clock::now(), outcome }
}
