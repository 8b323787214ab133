//! Distributions of delays as the kernel side reads them: tables of the inverse cumulative distribution
//! function in netem's scale, made by formula or from a user's file.
//!
//! The formulas are those by which iproute2 makes its tables (netem/normal.c, pareto.c, paretonormal.c),
//! each taken in the middle of its step instead of at its end, which keeps the mean where it belongs.

mod file;

use std::{collections::BTreeMap, path::PathBuf};

use injector_common::delay::{SCALE_BITS, TABLE_SIZE, Table};
use statrs::distribution::{ContinuousCDF, Normal};

pub use self::file::{DistributionError, read};
use crate::spec::netem::Distribution;

/// A value of a table that stands for one jitter.
const SCALE: f64 = (1_u32 << SCALE_BITS) as f64;

/// Steps of the probability in a table.
#[expect(clippy::cast_precision_loss, reason = "a small power of two")]
const STEPS: f64 = TABLE_SIZE as f64;

/// The tables of files, by their paths as rules have them.
pub type Files = BTreeMap<PathBuf, Box<Table>>;

/// The table of a distribution; `None` for the uniform one, which needs none. Those of files are in `files`.
///
/// # Errors
/// A file that is not among them.
pub fn table_of(named: &Distribution, files: &Files) -> Result<Option<Box<Table>>, DistributionError> {
    Ok(match named {
        Distribution::Uniform => None,
        Distribution::Normal => Some(normal()),
        Distribution::Pareto => Some(pareto()),
        Distribution::ParetoNormal => Some(pareto_normal()),
        Distribution::File(path) => {
            let found = files.get(path).cloned();
            Some(found.ok_or_else(|| DistributionError::NotSent { path: path.clone() })?)
        }
    })
}

/// The jitter is the standard deviation.
pub fn normal() -> Box<Table> {
    let standard = Normal::standard();
    table(|share| standard.inverse_cdf(share))
}

/// Pareto's, with a shape of 3, about its mean.
pub fn pareto() -> Box<Table> {
    table(pareto_quantile)
}

/// A quarter of [`normal`] and three quarters of [`pareto`]: by netem's account closest to what is measured in
/// networks.
pub fn pareto_normal() -> Box<Table> {
    let standard = Normal::standard();
    table(|share| 0.25 * standard.inverse_cdf(share) + 0.75 * pareto_quantile(share))
}

fn pareto_quantile(share: f64) -> f64 {
    ((1.0 - share).powf(-1.0 / 3.0) - 1.5) * 4.0 / 3.0
}

/// A table of `quantile`, which gives the value, in jitters, below which a share of all lies.
fn table(quantile: impl Fn(f64) -> f64) -> Box<Table> {
    let mut table = Box::new([0; TABLE_SIZE]);
    for (entry, place) in table.iter_mut().zip(0_u32..) {
        *entry = entry_of(quantile((f64::from(place) + 0.5) / STEPS));
    }
    table
}

/// What a table holds for a value in jitters: at most four of them either way, as in netem.
#[expect(clippy::cast_possible_truncation, reason = "clamped, and rounded on purpose")]
fn entry_of(value: f64) -> i16 {
    (value * SCALE).round().clamp(-f64::from(i16::MAX), f64::from(i16::MAX)) as i16
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
mod tests {
    use injector_common::{
        delay::{Delay, UNIFORM},
        random::draw,
    };

    use super::*;

    const DRAWS: u64 = 100_000;

    /// Jitters about the middle, drawn as the kernel side draws them, in ascending order.
    fn drawn(table: &Table) -> Vec<f64> {
        let (base, jitter) = (1_000_000_000, 100_000_000);
        let delay = Delay { base, jitter, repeat: 0, table: UNIFORM, _pad: 0 };
        let jitters = |n| (delay.time(Some(table), draw(42, 0, 0, n)) as f64 - base as f64) / jitter as f64;
        let mut all: Vec<_> = (1..=DRAWS).map(jitters).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    /// Kolmogorov's and Smirnov's distance times the root of the number: beyond 1.95 once in 1000 times.
    fn distance(values: &[f64], cdf: impl Fn(f64) -> f64) -> f64 {
        let n = values.len() as f64;
        let apart = values.iter().enumerate().map(|(i, &value)| (cdf(value) - (i as f64 + 0.5) / n).abs());
        apart.fold(0.0, f64::max) * n.sqrt()
    }

    #[test]
    fn normal_jitter_is_normal() {
        let standard = Normal::standard();
        let distance = distance(&drawn(&normal()), |value| standard.cdf(value));
        assert!(distance < 1.95, "{distance}");
    }

    #[test]
    fn pareto_jitter_is_paretos() {
        let cdf = |value: f64| 1.0 - (value * 0.75 + 1.5).powi(-3);
        // Beyond four jitters netem's tables end: the last 1.1 % of the draws, all at that value.
        let all = drawn(&pareto());
        let inside: Vec<_> =
            all.iter().copied().map(|value| if value > 3.99 { f64::INFINITY } else { value }).collect();
        let distance = distance(&inside, |value| if value.is_infinite() { 0.995 } else { cdf(value) });
        assert!(distance < 2.5, "{distance}");
        assert!(all.first().is_some_and(|&least| least > -0.667));
    }

    #[test]
    fn a_mixture_has_the_quantiles_of_both() {
        let all = drawn(&pareto_normal());
        let standard = Normal::standard();
        for share in [0.05, 0.25, 0.5, 0.75, 0.95] {
            let expected = 0.25 * standard.inverse_cdf(share) + 0.75 * pareto_quantile(share);
            let at = share * DRAWS as f64;
            // Three standard deviations of the rank of a quantile.
            let off = 3.0 * (at * (1.0 - share)).sqrt();
            let rank = all.partition_point(|&value| value < expected) as f64;
            assert!((rank - at).abs() < off + DRAWS as f64 / TABLE_SIZE as f64, "{share}: {rank}, not {at}");
        }
    }

    /// The first entries of the tables that come with iproute2, which are taken at the ends of the steps.
    #[test]
    fn tables_are_close_to_iproute2s() {
        let near = |table: &Table, entry: usize, value: i16| (table[entry] - value).abs() <= 8;
        assert!(near(&pareto(), 0, -5461));
        assert!(near(&pareto(), 2048, -2621), "{}", pareto()[2048]);
        assert!(near(&normal(), 2048, 0));
        assert!(near(&normal(), 3446, 8192), "{}", normal()[3446]);
        assert!(normal().is_sorted() && pareto().is_sorted() && pareto_normal().is_sorted());
    }
}
