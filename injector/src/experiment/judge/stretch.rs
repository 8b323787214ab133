//! Since when conditions have held at a stretch: the steady state, and the end of the recovery. Pure.

use std::time::Duration;

use crate::{
    clock,
    experiment::{
        condition::Condition,
        journal::Phase,
        judge::{
            evidence::{SECOND, whole_seconds},
            holding::Judge,
            judgement::Truth,
        },
        model::Located,
    },
};

impl Judge<'_> {
    /// The first second of `phase` from which all conditions held for `length` at a stretch. A condition without a window
    /// is judged over that stretch, one with a window over each that ends in it.
    pub fn held_from(
        &self,
        conditions: &[Located<Condition>],
        phase: Phase,
        length: Duration,
    ) -> Option<u32> {
        let length = whole_seconds(clock::nanoseconds(length) + SECOND - 1).max(1);
        let known = conditions.iter().map(|condition| self.evidence.complete(&condition.source, phase)).min();
        // Without a condition the time alone counts.
        let known = known.unwrap_or_else(|| {
            let (begin, end) = self.evidence.phase(phase).unwrap_or_default();
            whole_seconds(end - begin)
        });
        (0..(known + 1).saturating_sub(length)).find(|&from| {
            conditions.iter().all(|condition| self.holds(condition, phase, from, from + length))
        })
    }

    /// Whether a condition held all the while from one second of a phase to another.
    fn holds(&self, condition: &Condition, phase: Phase, from: u32, to: u32) -> bool {
        let window = |from, to| {
            let window = self.evidence.window(&condition.source, phase, from..to);
            self.window(condition, window).truth == Truth::True
        };
        match condition.over {
            None => window(from, to),
            Some(over) => {
                let over = whole_seconds(clock::nanoseconds(over) + SECOND - 1).max(1);
                // The first windows that lie wholly in the phase; they may begin before the stretch.
                (from.max(over)..=to).filter(|end| *end > from).all(|end| window(end - over, end))
                    && to >= over
            }
        }
    }
}
