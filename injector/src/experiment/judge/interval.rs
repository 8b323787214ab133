//! How far a measure of few samples may be from the truth: exact binomial intervals. Pure.
//!
//! Shares: C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
//! binomial", Biometrika 26 (1934). Percentiles: the order statistics between which the quantile lies, H. A. David,
//! H. N. Nagaraja, "Order Statistics", 7.1.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, Binomial, ContinuousCDF as _, DiscreteCDF as _};

/// Both ends of an interval, in the measure's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples are far below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

/// The share of bad ones, of which `bad` of `count` were seen, each end wrong with a probability of 1 - `confidence`.
pub fn of_share(bad: u64, count: u64, confidence: f64) -> Option<Interval> {
    if count == 0 || bad > count {
        return None;
    }
    let (bad, good) = (float(bad), float(count - bad));
    let low = match Beta::new(bad, good + 1.0) {
        Ok(beta) => beta.inverse_cdf(1.0 - confidence),
        // None was seen.
        Err(_) => 0.0,
    };
    let high = match Beta::new(bad + 1.0, good) {
        Ok(beta) => beta.inverse_cdf(confidence),
        // All were.
        Err(_) => 1.0,
    };
    Some(Interval { low, high })
}

/// The samples between which a quantile (0 to 1) lies; an end is `None` where there are too few samples for one.
pub fn of_quantile(sorted: &[f64], quantile: f64, confidence: f64) -> (Option<f64>, Option<f64>) {
    let Ok(below) = Binomial::new(quantile, sorted.len() as u64) else { return (None, None) };
    let wrong = 1.0 - confidence;
    // The r-th smallest sample is above the quantile unless r or more samples are below it.
    let high = first(sorted.len(), |place| 1.0 - below.cdf(place) <= wrong);
    let low = first(sorted.len(), |place| below.cdf(place) > wrong).checked_sub(1);
    let sample = |place: Option<usize>| sorted.get(place?).copied();
    (sample(low), sample(Some(high)))
}

/// The first of `count` places of which something is true that stays true from there on, or `count`. By halves: the
/// distribution is dear, and this is asked for each window of a phase.
fn first(count: usize, holds: impl Fn(u64) -> bool) -> usize {
    let (mut from, mut to) = (0, count);
    while from < to {
        let middle = usize::midpoint(from, to);
        if holds(middle as u64) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    from
}

/// How many samples, all within the bound, are the least that prove a quantile (0 to 1) to be within it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and small")]
pub fn samples_to_prove(quantile: f64, confidence: f64) -> u64 {
    ((1.0 - confidence).ln() / quantile.ln()).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::{of_quantile, of_share, samples_to_prove};

    #[test]
    fn two_hundred_and_ninety_nine_good_samples_are_the_least_that_prove_a_percent() {
        let high = |count| of_share(0, count, 0.95).map(|interval| interval.high);
        assert!(high(299).is_some_and(|high| high < 0.01), "{:?}", high(299));
        assert!(high(298).is_some_and(|high| high > 0.01), "{:?}", high(298));
        assert_eq!(samples_to_prove(0.99, 0.95), 299);
        assert_eq!(of_share(0, 0, 0.95), None);
        assert_eq!(of_share(5, 5, 0.95).map(|interval| interval.high), Some(1.0));
    }

    #[test]
    fn the_same_number_bounds_a_percentile() {
        let sorted: Vec<f64> = (0..299).map(f64::from).collect();
        assert_eq!(of_quantile(&sorted, 0.99, 0.95).1, Some(298.0));
        assert_eq!(of_quantile(&sorted[..298], 0.99, 0.95).1, None);
        // The median of nine: R's binom.test based limits are the second and the eighth.
        let nine: Vec<f64> = (1..=9).map(f64::from).collect();
        assert_eq!(of_quantile(&nine, 0.5, 0.95), (Some(2.0), Some(8.0)));
    }
}
