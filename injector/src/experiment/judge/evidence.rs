//! What a journal's records say so far, in the shape in which conditions are judged. Pure: live and afterwards alike.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    clock,
    experiment::{
        condition::Condition,
        journal::{Moment, Phase, Record},
        judge::window::{Nature, Window},
        model::{Experiment, ProbeKind},
        sample::Batch,
    },
};

/// A second, nanoseconds.
pub const SECOND: u64 = 1_000_000_000;

/// All that was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    natures: BTreeMap<String, Nature>,
    /// Phase -> its beginning.
    begun: BTreeMap<Phase, u64>,
    /// Source -> phase and second in it -> samples.
    series: BTreeMap<String, BTreeMap<(Phase, u32), Batch>>,
    /// The last record's.
    now: u64,
    /// The steady stretch at the end of the before phase, by which `of before` is measured.
    warm: Option<Duration>,
}

impl Evidence {
    /// Of an experiment that has not begun.
    pub fn new(experiment: &Experiment) -> Self {
        let loads = experiment.loads.iter().map(|(name, load)| {
            (name.clone(), Nature { numbers: false, slo: load.slo, rate: Some(load.rate) })
        });
        let probes = experiment.probes.iter().map(|(name, probe)| {
            let regular = !matches!(probe.kind, ProbeKind::Log { .. } | ProbeKind::Lost { .. });
            let rate = regular.then(|| 1.0 / probe.every.as_secs_f64());
            (name.clone(), Nature { numbers: probe.has_numbers(), slo: None, rate })
        });
        Self {
            natures: loads.chain(probes).collect(),
            warm: experiment.steady.as_ref().map(|steady| steady.lasting),
            ..Self::default()
        }
    }

    /// What a record adds.
    pub fn take(&mut self, moment: &Moment) {
        self.now = self.now.max(moment.at);
        match &moment.record {
            Record::Phase { phase } => {
                self.begun.insert(*phase, moment.at);
            }
            Record::Samples { source, phase, second, batch } => {
                self.series.entry(source.clone()).or_default().insert((*phase, *second), batch.clone());
            }
            _ => (),
        }
    }

    /// What a source is.
    pub fn nature(&self, source: &str) -> Nature {
        self.natures.get(source).copied().unwrap_or_default()
    }

    /// All sources.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.natures.keys().map(String::as_str)
    }

    /// When a phase began, and when the next one did, or the last record was made.
    pub fn phase(&self, phase: Phase) -> Option<(u64, u64)> {
        let begin = *self.begun.get(&phase)?;
        let end = self.begun.range(phase..).nth(1).map_or(self.now, |(_, &next)| next);
        Some((begin, end))
    }

    /// The phase that goes on.
    pub fn current(&self) -> Option<Phase> {
        self.begun.last_key_value().map(|(phase, _)| *phase)
    }

    /// How many whole seconds of a phase a source has told of, without a gap. The rest of a second in which it ended is none.
    pub fn complete(&self, source: &str, phase: Phase) -> u32 {
        let Some(series) = self.series.get(source) else { return 0 };
        let last = series.range((phase, 0)..=(phase, u32::MAX)).last();
        let told = last.map_or(0, |((_, second), _)| second + 1);
        let (begin, end) = self.phase(phase).unwrap_or_default();
        told.min(whole_seconds(end.saturating_sub(begin)))
    }

    /// A source's samples of some seconds of a phase.
    pub fn window(&self, source: &str, phase: Phase, seconds: std::ops::Range<u32>) -> Option<Window<'_>> {
        let (begin, end) = self.phase(phase)?;
        let at = |second: u32| (begin + u64::from(second) * SECOND).min(end);
        let (begin, end) = (at(seconds.start), at(seconds.end));
        let batches = self.series.get(source).map_or_else(Vec::new, |series| {
            series.range((phase, seconds.start)..(phase, seconds.end)).map(|(_, batch)| batch).collect()
        });
        Some(Window { batches, begin, end })
    }

    /// A source's samples of a whole phase.
    pub fn whole(&self, source: &str, phase: Phase) -> Option<Window<'_>> {
        self.window(source, phase, 0..u32::MAX)
    }

    /// What a condition's measure was before anything was broken, without the warm-up.
    pub fn before(&self, condition: &Condition) -> Option<f64> {
        let (begin, end) = self.phase(Phase::Before)?;
        let last = whole_seconds(end.saturating_sub(begin));
        let length = self.warm.map_or(last, |warm| whole_seconds(clock::nanoseconds(warm)));
        let window = self.window(&condition.source, Phase::Before, last.saturating_sub(length)..u32::MAX)?;
        window.measure(condition.measure, self.nature(&condition.source))
    }

    /// A source's samples of the last so many seconds up to `until`, whatever the phase: cells that begin in that time.
    pub fn last(&self, source: &str, until: u64, length: u64) -> Window<'_> {
        let from = until.saturating_sub(length);
        let cells = self.series.get(source).into_iter().flatten().filter(|&(&(phase, second), _)| {
            self.begun.get(&phase).is_some_and(|begin| {
                let cell = begin + u64::from(second) * SECOND;
                cell >= from && cell < until
            })
        });
        Window { batches: cells.map(|(_, batch)| batch).collect(), begin: from, end: until }
    }

    /// Up to when a source's samples are known, whatever the phase: the end of its last complete second.
    pub fn known_until(&self, source: &str) -> Option<u64> {
        let ((phase, second), _) = self.series.get(source)?.last_key_value()?;
        let (begin, end) = self.phase(*phase)?;
        Some((begin + u64::from(second + 1) * SECOND).min(end.max(begin)))
    }
}

/// Whole seconds of a time in nanoseconds.
pub fn whole_seconds(nanoseconds: u64) -> u32 {
    u32::try_from(nanoseconds / SECOND).unwrap_or(u32::MAX)
}
