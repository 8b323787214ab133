//! What the tests of the models measure: shares, runs, correlations and distributions, against theory.

#![expect(clippy::cast_precision_loss, reason = "counts that a double holds exactly")]

use crate::chance::ONE;

/// Packets of one measurement.
pub(crate) const PACKETS: u64 = 100_000;

pub(crate) fn percent(value: u32) -> u64 {
    (u64::from(value) * ONE + 50) / 100
}

/// Is a count of [`PACKETS`] what a share of `p` gives? `inflation` is by how much the variance of a
/// correlated sequence is larger than that of an independent one.
pub(crate) fn within_three_sigma(count: f64, p: f64, inflation: f64) {
    let n = PACKETS as f64;
    let sigma = (n * p * (1.0 - p) * inflation).sqrt();
    assert!((count - n * p).abs() < 3.0 * sigma, "{count}, {} expected, sigma {sigma}", n * p);
}

/// The lengths of the runs of `of`.
pub(crate) fn runs(values: &[bool], of: bool) -> Vec<f64> {
    values.chunk_by(|a, b| a == b).filter(|run| run[0] == of).map(|run| run.len() as f64).collect()
}

/// The autocorrelation at a distance of `lag`.
pub(crate) fn correlation(values: &[f64], lag: usize) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let products = values.iter().zip(&values[lag..]).map(|(x, y)| (x - mean) * (y - mean));
    products.sum::<f64>() / n / variance
}

/// The largest distance between the distribution of `values` and `cdf` (Kolmogorov, Smirnov), times the
/// square root of their number: above 1.95 it is by chance once in a thousand times.
pub(crate) fn kolmogorov_smirnov(mut values: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let distance = values.iter().enumerate().map(|(i, &x)| {
        let (below, above) = (i as f64 / n, (i as f64 + 1.0) / n);
        (cdf(x) - below).abs().max((cdf(x) - above).abs())
    });
    distance.fold(0.0, f64::max) * n.sqrt()
}
