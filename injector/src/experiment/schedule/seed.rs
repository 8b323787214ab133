//! Seeds by name: what an item of the file draws depends on the run's seed and on its own path, and on nothing else of the
//! file. A step more changes no other step's draws.

use injector_common::random::{combine, mix};

/// The seed of the item at `path`, which has its repetition in it: `repeat[2]/kill`.
pub fn sub_seed(seed: u64, path: &str) -> u64 {
    path.bytes().fold(combine(seed, path.len() as u64), |seed, byte| combine(seed, u64::from(byte)))
}

/// The places of `count` of `total` things, drawn by `seed`, ascending. All of them if there are no more.
pub fn chosen(seed: u64, total: usize, count: usize) -> Vec<usize> {
    // The `count` smallest of independent draws: each choice is equally likely.
    let mut places: Vec<_> = (0..total).collect();
    places.sort_by_key(|&place| mix(combine(seed, place as u64)));
    places.truncate(count);
    places.sort_unstable();
    places
}

/// The n-th draw of `seed`, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits are taken, which a double has")]
pub(super) fn unit(seed: u64, n: u64) -> f64 {
    (combine(seed, n) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::{chosen, sub_seed};

    #[test]
    fn another_path_or_seed_draws_otherwise_and_the_same_draws_the_same() {
        assert_eq!(sub_seed(1, "a/b"), sub_seed(1, "a/b"));
        assert_ne!(sub_seed(1, "a/b"), sub_seed(2, "a/b"));
        assert_ne!(sub_seed(1, "a/b"), sub_seed(1, "a/c"));
        assert_ne!(sub_seed(1, "repeat[1]/b"), sub_seed(1, "repeat[2]/b"));
    }

    #[test]
    fn every_choice_comes_up_about_as_often() {
        let mut times = [0_u32; 5];
        for seed in 0..5_000 {
            let places = chosen(seed, 5, 2);
            assert_eq!(places.len(), 2);
            for place in places {
                times[place] += 1;
            }
        }
        assert!(times.iter().all(|count| (1_850..2_150).contains(count)), "{times:?}");
        assert_eq!(chosen(7, 3, 9), [0, 1, 2]);
    }
}
