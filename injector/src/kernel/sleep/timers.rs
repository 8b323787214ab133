//! Who sleeps until when. A heap of ends, and the sleepers by their requests: both grow with the number of
//! sleepers only, and ten thousand of them cost a logarithm.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
};

/// All sleepers. Times are nanoseconds of any one clock.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// By end; those that were woken before it are still in here, and skipped.
    ends: BinaryHeap<Reverse<(u64, u64)>>,
    /// By request: the thread's number.
    asleep: HashMap<u64, u32>,
    /// Requests of threads that have a signal: it may be their death.
    disturbed: BTreeSet<u64>,
    /// Requests of those who sleep as long as a rule lasts, and the rule.
    with_rules: HashMap<u64, u32>,
}

impl Timers {
    /// `thread` sleeps until `end`, and `request` is what it waits for.
    pub(super) fn sleep_until(&mut self, request: u64, thread: u32, end: u64) {
        self.asleep.insert(request, thread);
        self.ends.push(Reverse((end, request)));
    }

    /// `thread` sleeps as long as `rule` lasts.
    pub(super) fn sleep_with_rule(&mut self, request: u64, thread: u32, rule: u32) {
        self.asleep.insert(request, thread);
        self.with_rules.insert(request, rule);
    }

    /// Requests of those who sleep as long as a rule lasts that has `ended`.
    pub(super) fn outlasting(&self, ended: impl Fn(u32) -> bool) -> Vec<u64> {
        self.with_rules.iter().filter(|&(_, &rule)| ended(rule)).map(|(&request, _)| request).collect()
    }

    /// A signal came for the thread that waits for `request`.
    pub(super) fn disturb(&mut self, request: u64) {
        if self.asleep.contains_key(&request) {
            self.disturbed.insert(request);
        }
    }

    /// Takes the next sleeper whose time is over.
    pub(super) fn next_over(&mut self, now: u64) -> Option<u64> {
        while let Some(&Reverse((end, request))) = self.ends.peek() {
            if end > now && self.asleep.contains_key(&request) {
                return None;
            }
            self.ends.pop();
            if self.wake(request) {
                return Some(request);
            }
        }
        None
    }

    /// When the next one wakes; may be one that was woken before.
    pub(super) fn next_end(&self) -> Option<u64> {
        self.ends.peek().map(|Reverse((end, _))| *end)
    }

    /// Those with a signal: request and thread.
    pub(super) fn disturbed(&self) -> Vec<(u64, u32)> {
        self.disturbed.iter().filter_map(|request| Some((*request, *self.asleep.get(request)?))).collect()
    }

    /// Takes a sleeper out, whatever its time; false if it is awake.
    pub(super) fn wake(&mut self, request: u64) -> bool {
        self.disturbed.remove(&request);
        self.with_rules.remove(&request);
        self.asleep.remove(&request).is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_killed_sleeper_leaves_before_its_time() {
        let mut timers = Timers::default();
        timers.sleep_until(2, 10, 500);
        timers.sleep_until(4, 11, 700);
        timers.disturb(2);
        timers.disturb(99);
        assert_eq!(timers.disturbed(), [(2, 10)]);
        assert!(timers.wake(2));
        assert!(!timers.wake(2));
        assert!(timers.disturbed().is_empty());
        assert_eq!(timers.next_over(600), None);
        assert_eq!(timers.next_over(700), Some(4));
        assert_eq!((timers.next_over(9999), timers.next_end()), (None, None));
    }

    #[test]
    fn who_sleeps_with_a_rule_wakes_with_it() {
        let mut timers = Timers::default();
        timers.sleep_with_rule(2, 10, 0);
        timers.sleep_with_rule(4, 11, 7);
        assert_eq!((timers.next_over(u64::MAX), timers.next_end()), (None, None));
        assert!(timers.outlasting(|_| false).is_empty());
        assert_eq!(timers.outlasting(|rule| rule == 7), [4]);
        assert!(timers.wake(4) && timers.outlasting(|rule| rule == 7).is_empty());
    }

    proptest! {
        /// Against a list that is looked through: nobody is woken early, late, twice or never.
        #[test]
        fn everybody_wakes_at_the_end_of_his_time(
            ends in prop::collection::vec(0u64..1000, 1..200),
            woken in prop::collection::btree_set(0usize..200, 0..50),
            step in 1u64..50,
        ) {
            let mut timers = Timers::default();
            for (request, &end) in ends.iter().enumerate() {
                timers.sleep_until(request as u64, 1, end);
            }
            let mut left: Vec<_> = ends.iter().enumerate().map(|(request, &end)| (end, request as u64)).collect();
            for &request in woken.iter().filter(|&&request| request < ends.len()) {
                prop_assert!(timers.wake(request as u64));
                left.retain(|&(_, other)| other != request as u64);
            }
            for now in (0..1050).step_by(usize::try_from(step).unwrap()) {
                let mut over: Vec<_> = std::iter::from_fn(|| timers.next_over(now)).collect();
                let (due, rest): (Vec<_>, Vec<_>) = left.iter().partition(|(end, _)| *end <= now);
                let mut due: Vec<_> = due.into_iter().map(|(_, request)| request).collect();
                over.sort_unstable();
                due.sort_unstable();
                prop_assert_eq!(over, due);
                left = rest;
            }
            prop_assert!(left.is_empty());
        }
    }
}
