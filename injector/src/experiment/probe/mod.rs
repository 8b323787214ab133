//! Probes: what is looked at all the while, on a fixed schedule. A look that cannot be made is a failed sample with its
//! reason, and never left out; one that could only be made late is late.

mod cgroup;
mod dns;
mod log;
mod look;
mod lost;
mod metrics;
mod prometheus;
mod surroundings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::{log::follow, look::Looker};
pub use self::{lost::lost, surroundings::Surroundings};
use crate::experiment::{
    model::{Probe, ProbeKind, ValueOf},
    namespaces::Namespaces,
    source::{Limits, Outlet, Schedule, SourceError, Stop, generate},
    variables::Variables,
};

/// Looks from `start` on, nanoseconds of `CLOCK_BOOTTIME`, until it is told to stop, and then waits for the looks that are
/// under way, as [`generate`] does. A probe of kind `lost` has no schedule and ends at once; see [`lost`].
///
/// # Errors
/// [`SourceError`]: it could not begin, and there are no samples.
pub async fn run(
    probe: &Probe,
    namespaces: &Namespaces,
    variables: &Variables,
    surroundings: Arc<dyn Surroundings>,
    start: u64,
    stop: Stop,
    outlet: Outlet,
) -> Result<(), SourceError> {
    match &probe.kind {
        ProbeKind::Lost { .. } => return Ok(()),
        ProbeKind::Log { of, matches } => {
            let file = surroundings.log_of(of).unwrap_or_else(|| namespaces.folder.join(&of.value));
            return follow(probe, file, matches, start, stop, &outlet).await;
        }
        _ => {}
    }
    let place = namespaces.enter()?;
    let looker = Arc::new(Looker::new(probe.clone(), place, variables.clone(), surroundings));
    let look = |turn| {
        let looker = Arc::clone(&looker);
        async move { looker.look(turn).await }
    };
    generate(Schedule::every(start, probe.every), limits(probe), stop, &outlet, look).await?;
    Ok(())
}

/// As many looks at once as are due within the timeout of one: none waits for another. But those of a rate do: of two that
/// overtake each other the second would look like a counter that began again.
fn limits(probe: &Probe) -> Limits {
    if matches!(probe.value, Some(ValueOf::Rate)) {
        return Limits { timeout: probe.timeout, at_once: 1 };
    }
    let every = probe.every.as_nanos().max(1);
    let at_once = usize::try_from(probe.timeout.as_nanos().div_ceil(every)).unwrap_or(usize::MAX);
    Limits { timeout: probe.timeout, at_once: at_once.saturating_add(1).min(1_000) }
}
