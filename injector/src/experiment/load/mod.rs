//! Loads: what is asked of the system all the while, in an open loop.

mod ended;
mod figures;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::ended::Ended;
use self::stream::Stream;
use crate::experiment::{
    answer::{Answer, judge},
    command,
    failure::Failure,
    http::{Client, Request},
    model::{Expect, Load, LoadKind},
    namespaces::{Namespaces, Place},
    source::{Limits, Outlet, Schedule, SourceError, Stop, Turn, generate},
    variables::Variables,
};

/// Makes the operations of a load from `start` on, nanoseconds of `CLOCK_BOOTTIME`, until it is told to stop, and then
/// waits for those that are under way, as [`generate`] does. Samples come out as they end; their order is that of
/// their ends. Who drops the future gives up what is under way, and kills its commands.
///
/// # Errors
/// [`SourceError`]: it could not begin, and there are no samples.
pub async fn run(
    load: &Load,
    namespaces: &Namespaces,
    variables: &Variables,
    start: u64,
    stop: Stop,
    outlet: Outlet,
) -> Result<Ended, SourceError> {
    let place = namespaces.enter()?;
    if let LoadKind::Command { command, figures } = &load.kind {
        return Stream::new(load, figures, &outlet).run(command, &place, variables, start, stop).await;
    }
    let schedule = Schedule::per_second(start, load.rate);
    let limits = Limits { timeout: load.timeout, at_once: load.at_once };
    let maker = Arc::new(Maker {
        kind: load.kind.clone(),
        expect: load.expect.clone(),
        client: Client::new(place.clone(), load.at_once),
        place,
        variables: variables.clone(),
    });
    let operation = |turn| {
        let maker = Arc::clone(&maker);
        async move { maker.make(turn).await }
    };
    let made = generate(schedule, limits, stop, &outlet, operation).await?;
    Ok(Ended { made, ..Ended::default() })
}

/// Makes single operations.
struct Maker {
    kind: LoadKind,
    expect: Expect,
    client: Client,
    place: Place,
    variables: Variables,
}

impl Maker {
    async fn make(&self, turn: Turn) -> Result<Option<f64>, Failure> {
        let answer = self.ask(turn).await?;
        judge(&self.expect, &answer, turn.latency())?;
        Ok(None)
    }

    async fn ask(&self, turn: Turn) -> Result<Answer, Failure> {
        let value = |name: &str| self.variables.value_of_operation(turn.number, name);
        match &self.kind {
            LoadKind::Http(request) => self.client.ask(Request::fill(request, value)?).await,
            LoadKind::Each(line) | LoadKind::Command { command: line, .. } => {
                command::run(&self.place, &command::words(line, value)?).await
            }
        }
    }
}
