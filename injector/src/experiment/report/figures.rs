//! The figures of each load and probe, phase by phase, and whether the runner itself was too slow. Pure.

use crate::experiment::{
    condition::Measure,
    judge::interval,
    report::{Account, Figures, Reason, SourceReport, Unit, account::PHASES},
};

/// A load of which more than this share began late says nothing about the target.
const TOO_LATE: f64 = 0.1;

/// All sources.
pub(super) fn all(account: &Account) -> Vec<SourceReport> {
    let evidence = &account.evidence;
    let of = |name: &str| {
        let nature = evidence.nature(name);
        let phases = PHASES.into_iter().filter_map(|phase| {
            let window = evidence.whole(name, phase).filter(|window| window.count() > 0)?;
            let measure = |measure| window.measure(measure, nature);
            let figures = Figures {
                samples: window.count(),
                good: window.good(),
                errors: measure(Measure::Errors),
                errors_interval: interval::of_share(window.count() - window.good(), window.count(), 0.95),
                reasons: window.reasons(),
                late: window.late(),
                outage: measure(Measure::Outage),
                p50: measure(Measure::Percentile(5_000)),
                p95: measure(Measure::Percentile(9_500)),
                p99: measure(Measure::Percentile(9_900)),
                max: measure(Measure::Max),
            };
            Some((phase, figures))
        });
        let unit = if nature.numbers { Unit::Number } else { Unit::Seconds };
        SourceReport { name: name.to_owned(), unit, phases: phases.collect() }
    };
    evidence.sources().map(of).collect()
}

/// Loads that this machine could not keep up with.
#[expect(clippy::cast_precision_loss, reason = "counts of samples are far below 2^53")]
pub(super) fn reasons(account: &Account) -> Vec<Reason> {
    let late = |source: SourceReport| {
        let samples: u64 = source.phases.values().map(|figures| figures.samples).sum();
        let late: u64 = source.phases.values().map(|figures| figures.late).sum();
        let share = late as f64 / samples.max(1) as f64;
        (share > TOO_LATE).then(|| Reason {
            code: 1,
            text: format!(
                "this machine was too slow for `{}`: {late} of {samples} operations began more than 100 ms late",
                source.name
            ),
        })
    };
    all(account).into_iter().filter_map(late).collect()
}
