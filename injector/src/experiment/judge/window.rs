//! Seconds of a source side by side, and what is measured of them. Pure.

use crate::experiment::{
    condition::Measure,
    sample::{Batch, Good},
};

/// What a source is, as far as its measures depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Nature {
    /// Its samples have numbers, so that `max`, `mean` and percentiles are of these; else of latencies.
    pub numbers: bool,
    /// The share of good samples that is promised, for `burn`.
    pub slo: Option<f64>,
    /// How many samples are due per second, where that is known beforehand.
    pub rate: Option<f64>,
}

/// The samples of one source that were due in a stretch of time.
#[derive(Clone, Debug)]
pub struct Window<'a> {
    /// Its seconds, in their order.
    pub batches: Vec<&'a Batch>,
    /// Its beginning, nanoseconds of `CLOCK_BOOTTIME`.
    pub begin: u64,
    /// Its end.
    pub end: u64,
}

/// Nanoseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "beyond 104 days a nanosecond is lost")]
pub fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

impl Window<'_> {
    /// How many samples there are.
    pub fn count(&self) -> u64 {
        self.batches.iter().map(|batch| batch.count()).sum()
    }

    /// How many of them are good.
    pub fn good(&self) -> u64 {
        self.batches.iter().map(|batch| batch.good).sum()
    }

    /// How many began late.
    pub fn late(&self) -> u64 {
        self.batches.iter().map(|batch| batch.late).sum()
    }

    /// Why the others are bad, the most frequent reason first.
    pub fn reasons(&self) -> Vec<(String, u64)> {
        let mut all = std::collections::BTreeMap::<&str, u64>::new();
        for (reason, count) in self.batches.iter().flat_map(|batch| &batch.bad) {
            *all.entry(reason).or_default() += count;
        }
        let mut all: Vec<_> = all.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }

    /// The value of a measure: a share, a count, a number, or seconds. `None` where there is nothing to measure it by.
    pub fn measure(&self, measure: Measure, nature: Nature) -> Option<f64> {
        let count = self.count();
        match measure {
            Measure::Errors => (count > 0).then(|| float(count - self.good()) / float(count)),
            Measure::Burn => Some(self.measure(Measure::Errors, nature)? / (1.0 - nature.slo?)),
            Measure::Count => Some(float(self.good())),
            Measure::Rate => {
                let length = seconds(self.end.saturating_sub(self.begin));
                (length > 0.0).then(|| float(self.good()) / length)
            }
            Measure::Outage => Some(seconds(self.outage())),
            Measure::Value => self.batches.iter().rev().find_map(|batch| batch.numbers.last().copied()),
            Measure::Min => self.sorted(nature).first().copied(),
            Measure::Max => self.sorted(nature).last().copied(),
            Measure::Mean => {
                let all = self.sorted(nature);
                (!all.is_empty()).then(|| all.iter().sum::<f64>() / float(all.len() as u64))
            }
            Measure::Percentile(hundredths) => {
                let all = self.sorted(nature);
                let rank = nearest_rank(all.len() as u64, u64::from(hundredths));
                all.get(usize::try_from(rank.checked_sub(1)?).ok()?).copied()
            }
        }
    }

    /// The longest stretch without a good answer, nanoseconds. The window's ends count as good samples, so that one that
    /// lasts beyond an end counts up to there.
    fn outage(&self) -> u64 {
        let ends = |at| Good { first_end: at, last_due: at, longest: 0 };
        let inside = self.batches.iter().filter_map(|batch| batch.stretch);
        let all = inside.fold(ends(self.begin), Good::then);
        all.then(ends(self.end)).longest
    }

    /// The numbers, or the latencies in seconds, ascending.
    pub fn sorted(&self, nature: Nature) -> Vec<f64> {
        let mut all: Vec<f64> = if nature.numbers {
            self.batches.iter().flat_map(|batch| batch.numbers.iter().copied()).collect()
        } else {
            self.batches.iter().flat_map(|batch| batch.latencies.iter().map(|&time| seconds(time))).collect()
        };
        all.sort_by(f64::total_cmp);
        all
    }
}

/// The rank, from 1, of the sample that is a percentile of `count` samples; 0 of none.
pub(super) const fn nearest_rank(count: u64, hundredths: u64) -> u64 {
    (count * hundredths).div_ceil(10_000)
}

#[cfg(test)]
mod tests {
    use super::{Nature, Window};
    use crate::experiment::{
        condition::Measure,
        sample::{Batch, Outcome, Sample},
    };

    const SECOND: u64 = 1_000_000_000;

    /// A sample every 100 ms that takes 10 ms and fails from 0.3 to 0.6 s.
    fn batch() -> Batch {
        let mut batch = Batch::default();
        for number in 0..10 {
            let due = SECOND + number * 100_000_000;
            let outcome = if (3..6).contains(&number) {
                Outcome::Bad("status 503".to_owned())
            } else {
                Outcome::Good(None)
            };
            batch.add(&Sample { number, due, start: due, end: due + 1_000_000 * (number + 1), outcome });
        }
        batch
    }

    #[test]
    fn measures_are_those_of_a_hand_calculation() {
        let batch = batch();
        let window = Window { batches: vec![&batch], begin: SECOND, end: 2 * SECOND };
        let nature = Nature { slo: Some(0.9), ..Nature::default() };
        let close = |measure, expected: f64| {
            let is = window.measure(measure, nature).unwrap_or(f64::NAN);
            assert!((is - expected).abs() < 1e-12, "{measure:?}: {is} is not {expected}");
        };
        close(Measure::Errors, 0.3);
        close(Measure::Burn, 3.0);
        close(Measure::Count, 7.0);
        close(Measure::Rate, 7.0);
        // Due at 1.2, and the next good one is answered at 1.6 + 7 ms.
        close(Measure::Outage, 0.407);
        close(Measure::Min, 0.001);
        close(Measure::Max, 0.010);
        close(Measure::Mean, 0.0055);
        close(Measure::Percentile(5_000), 0.005);
        close(Measure::Percentile(5_001), 0.006);
        close(Measure::Percentile(9_900), 0.010);
        assert_eq!(window.measure(Measure::Value, nature), None);
        assert_eq!(window.reasons(), [("status 503".to_owned(), 3)]);
    }

    #[test]
    fn an_outage_at_the_end_counts_up_to_the_end_and_none_at_all_is_one() {
        let mut batch = Batch::default();
        let due = SECOND / 4;
        batch.add(&Sample { number: 0, due, start: due, end: due, outcome: Outcome::Good(None) });
        let window = Window { batches: vec![&batch], begin: 0, end: SECOND };
        assert_eq!(window.measure(Measure::Outage, Nature::default()), Some(0.75));
        let window = Window { batches: Vec::new(), begin: 0, end: SECOND };
        assert_eq!(window.measure(Measure::Outage, Nature::default()), Some(1.0));
        assert_eq!(window.measure(Measure::Errors, Nature::default()), None);
    }
}
