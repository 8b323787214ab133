//! Some of many targets, drawn from the seed: the same seed and names give the same choice, whoever else is there.

use injector_common::random::{combine, mix};

use crate::target::name::error::NameError;

/// How many of the targets that names mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Share {
    /// So many.
    Count(usize),
    /// Such a part of them, from 0 to 1, rounded up.
    Part(f64),
}

/// Draws some of `found`, by what `name` says that they are called; they keep their order.
///
/// # Errors
/// There are fewer than are asked for.
pub fn choose<T>(
    mut found: Vec<T>,
    name: impl Fn(&T) -> String,
    share: Share,
    seed: u64,
) -> Result<Vec<T>, NameError> {
    let count = match share {
        Share::Count(count) if count > found.len() => {
            return Err(NameError::TooFew { asked: count, found: found.len() });
        }
        Share::Count(count) => count,
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small number, and a part of it"
        )]
        Share::Part(part) => (found.len() as f64 * part).ceil() as usize,
    };
    let draw = |target: &T| name(target).bytes().fold(mix(seed), |draw, byte| combine(draw, u64::from(byte)));
    let mut draws: Vec<u64> = found.iter().map(draw).collect();
    draws.sort_unstable();
    let limit = count.checked_sub(1).and_then(|last| draws.get(last)).copied();
    found.retain(|target| limit.is_some_and(|limit| draw(target) <= limit));
    found.truncate(count);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str], share: Share, seed: u64) -> Vec<String> {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        choose(names, String::clone, share, seed).unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_choice() {
        let names = ["web-1", "web-2", "web-3", "web-4"];
        let turned = ["web-3", "web-1", "web-4", "web-2"];
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let two = chosen(&names, Share::Count(2), seed);
            let mut other = chosen(&turned, Share::Count(2), seed);
            other.sort_unstable();
            assert_eq!(two, other);
            assert_eq!(two.len(), 2);
            seen.insert(two);
        }
        assert_eq!(seen.len(), 6, "every pair comes");
    }

    #[test]
    fn parts_are_rounded_up() {
        let names = ["a", "b", "c"];
        for (part, count) in [(0.0, 0), (0.01, 1), (0.3, 1), (0.34, 2), (1.0, 3)] {
            assert_eq!(chosen(&names, Share::Part(part), 7).len(), count, "{part}");
        }
        let few = choose(vec!["a".to_owned()], String::clone, Share::Count(2), 7);
        assert!(matches!(few, Err(NameError::TooFew { asked: 2, found: 1 })));
    }
}
