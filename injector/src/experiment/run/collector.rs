//! Samples to seconds: each source's samples are put in the order of their due times and told of by the second of the phase
//! in which they were due, as soon as none of that second can come any more.

use std::{collections::BTreeMap, sync::Arc};

use crate::experiment::{
    journal::{Phase, Record},
    judge::SECOND,
    sample::{Batch, Sample},
};

/// Samples of all sources that are not told of yet.
#[derive(Debug, Default)]
pub(super) struct Collector {
    sources: BTreeMap<Arc<str>, Source>,
    /// The phases so far, with their beginnings.
    phases: Vec<(Phase, u64)>,
}

#[derive(Debug, Default)]
struct Source {
    /// By due time and number.
    waiting: BTreeMap<(u64, u64), Sample>,
    /// The next second to tell of: the place of its phase, and which second in it.
    next: (usize, u32),
}

impl Collector {
    /// A source that will have samples, from the phase on that goes on now.
    pub(super) fn source(&mut self, name: Arc<str>) {
        let next = (self.phases.len().saturating_sub(1), 0);
        self.sources.insert(name, Source { next, ..Source::default() });
    }

    /// A phase has begun.
    pub(super) fn phase(&mut self, phase: Phase, at: u64) {
        self.phases.push((phase, at));
    }

    /// A sample has come.
    pub(super) fn sample(&mut self, source: &Arc<str>, sample: Sample) {
        if let Some(source) = self.sources.get_mut(source) {
            source.waiting.insert((sample.due, sample.number), sample);
        }
    }

    /// What can be told of a source of which everything that was due before `until` has come.
    pub(super) fn complete(&mut self, source: &Arc<str>, until: u64) -> Vec<Record> {
        let Some((name, entry)) = self
            .sources
            .get_key_value(source)
            .map(|(name, _)| name.clone())
            .zip(self.sources.get_mut(source))
        else {
            return Vec::new();
        };
        let mut records = Vec::new();
        while let Some(&(phase, begin)) = self.phases.get(entry.next.0) {
            let second = entry.next.1;
            let over = self.phases.get(entry.next.0 + 1).map_or(u64::MAX, |&(_, next)| next);
            let from = begin + u64::from(second) * SECOND;
            let to = (from + SECOND).min(over);
            // The phase is over, and this second would lie behind it.
            if from >= over {
                entry.next = (entry.next.0 + 1, 0);
                continue;
            }
            if to > until {
                break;
            }
            let later = entry.waiting.split_off(&(to, 0));
            let mut batch = Batch::default();
            for sample in std::mem::replace(&mut entry.waiting, later).values() {
                batch.add(sample);
            }
            records.push(Record::Samples { source: name.to_string(), phase, second, batch });
            entry.next.1 += 1;
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Collector;
    use crate::experiment::{
        journal::{Phase, Record},
        judge::SECOND,
        sample::{Outcome, Sample},
    };

    #[test]
    fn seconds_end_with_their_phase_and_are_told_of_once() {
        let source: Arc<str> = "a".into();
        let mut collector = Collector::default();
        collector.phase(Phase::Before, 10 * SECOND);
        collector.source(source.clone());
        for number in 0..30 {
            let due = 10 * SECOND + number * SECOND / 10;
            let sample = Sample { number, due, start: due, end: due + 1, outcome: Outcome::Good(None) };
            collector.sample(&source, sample);
        }
        // The phase ends in the middle of its second second.
        collector.phase(Phase::During, 11 * SECOND + SECOND / 2);
        let told = |records: Vec<Record>| -> Vec<_> {
            let of = |record| match record {
                Record::Samples { phase, second, batch, .. } => (phase, second, batch.count()),
                other => panic!("{other:?}"),
            };
            records.into_iter().map(of).collect()
        };
        let until = 11 * SECOND + SECOND / 2;
        assert_eq!(told(collector.complete(&source, until)), [(Phase::Before, 0, 10), (Phase::Before, 1, 5)]);
        assert_eq!(told(collector.complete(&source, until)), []);
        assert_eq!(told(collector.complete(&source, 13 * SECOND)), [(Phase::During, 0, 10)]);
    }
}
