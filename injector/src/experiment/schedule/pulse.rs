//! The edges of a pulse: when a fault comes and goes. Pure.

use std::time::Duration;

use crate::experiment::{model::Pulse, schedule::seed::unit};

/// A moment at which a fault comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// From the beginning of the fault.
    pub at: Duration,
    /// From then on it acts, or it does not.
    pub active: bool,
}

/// All edges behind the first one, which is the beginning. The same for the same seed.
pub fn edges(pulse: Pulse, seed: u64) -> impl Iterator<Item = Edge> {
    let mut at = Duration::ZERO;
    (0_u64..).map(move |n| {
        let acted = n % 2 == 0;
        let length = if acted { pulse.active } else { pulse.idle };
        let shift = pulse.jitter.mul_f64(2.0 * unit(seed, n));
        // From `jitter` less to `jitter` more; a millisecond at least, so that time goes on.
        at += (length + shift).saturating_sub(pulse.jitter).max(Duration::from_millis(1));
        Edge { at, active: !acted }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Edge, edges};
    use crate::experiment::model::Pulse;

    #[test]
    fn edges_alternate_and_keep_to_the_jitter() {
        let seconds = Duration::from_secs;
        let pulse = Pulse { active: seconds(2), idle: seconds(4), jitter: Duration::ZERO };
        let first: Vec<_> = edges(pulse, 1).take(3).collect();
        let edge = |at, active| Edge { at: seconds(at), active };
        assert_eq!(first, [edge(2, false), edge(6, true), edge(8, false)]);

        let pulse = Pulse { jitter: seconds(1), ..pulse };
        let some = |seed| edges(pulse, seed).take(20).collect::<Vec<_>>();
        assert_eq!(some(1), some(1));
        assert_ne!(some(1), some(2));
        let mut before = Duration::ZERO;
        for Edge { at, active } in some(3) {
            let (length, expected) = (at.saturating_sub(before), if active { 4 } else { 2 });
            assert!((seconds(expected - 1)..=seconds(expected + 1)).contains(&length), "{length:?}");
            before = at;
        }
    }
}
