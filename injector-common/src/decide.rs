//! The decision: does a rule that matches fire?
//!
//! One order for every layer: `when=`, then the probability, then the order of the rules, then `times=`.
//! So a rule that an earlier one overrules does not use up its `times=`, and its `when=` counts on.

use crate::{counters::Reason, random, rule::Rule};

/// What identifies one match of a rule. See [`random::draw`].
#[derive(Clone, Copy, Debug)]
pub struct Match {
    /// The thread's place in the process tree; 0 for packets.
    pub subject: u64,
    /// The call, as its entry in the call table plus one; 0 for packets.
    pub object: u64,
    /// The number of this match, from 1: per rule, thread and call for system calls, per rule for packets.
    pub number: u64,
}

/// Do the triggers that depend on nothing but the match itself let it through?
///
/// # Errors
/// The first trigger that does not.
#[inline(always)]
pub const fn triggered(rule: &Rule, at: Match) -> Result<(), Reason> {
    if !rule.when.holds(at.number) {
        return Err(Reason::When);
    }
    if !rule.threshold.admits(random::draw(rule.seed, at.subject, at.object, at.number)) {
        return Err(Reason::Probability);
    }
    Ok(())
}

/// May the firing with this ticket (from 0) still happen under `times=`?
///
/// # Errors
/// [`Reason::Times`] when not.
#[inline(always)]
pub const fn ticket_valid(times: u64, ticket: u64) -> Result<(), Reason> {
    if times == 0 || ticket < times { Ok(()) } else { Err(Reason::Times) }
}

/// The value that a `security_*` hook may return: an errno, never one that the kernel keeps to itself.
///
/// A positive value ends up in `ERR_PTR` in `do_accept` and `copy_process` and is then taken for a
/// pointer; -512 and below are restart codes and the VFS's private ones (include/linux/errno.h), which
/// make callers loop or wait; ECHILD and ESTALE make the path walk start again (fs/namei.c,
/// `path_openat` under `do_filp_open`).
#[inline(always)]
#[must_use]
pub const fn safe_at_security_hook(value: i64) -> bool {
    const ECHILD: i64 = -10;
    const ESTALE: i64 = -116;
    -511 <= value && value <= -1 && value != ECHILD && value != ESTALE
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;
    use proptest::prelude::*;

    use super::*;
    use crate::trigger::{Threshold, When};

    fn rule() -> Rule {
        Rule { when: When::ALWAYS, threshold: Threshold::ALWAYS, seed: 1, ..Rule::zeroed() }
    }

    #[test]
    fn a_plain_rule_always_fires() {
        for number in 1..100 {
            assert_eq!(triggered(&rule(), Match { subject: 0, object: 0, number }), Ok(()));
        }
    }

    #[test]
    fn when_is_asked_before_the_probability() {
        let never = Rule { threshold: Threshold(0), when: When { first: 2, ..When::ALWAYS }, ..rule() };
        let at = |number| triggered(&never, Match { subject: 0, object: 0, number });
        assert_eq!(at(1), Err(Reason::When));
        assert_eq!(at(2), Err(Reason::Probability));
    }

    #[test]
    fn restart_codes_and_positive_values_never_reach_a_security_hook() {
        for value in [0, 1, 4096, -10, -116, -512, -513, -514, -516, -518, -529, -4096, i64::MIN, i64::MAX] {
            assert!(!safe_at_security_hook(value), "{value}");
        }
        for value in [-1, -5, -28, -111, -133] {
            assert!(safe_at_security_hook(value), "{value}");
        }
    }

    proptest! {
        #[test]
        fn times_lets_exactly_so_many_through(times in 1u64..50, tickets in 50u64..100) {
            let valid = (0..tickets).filter(|&t| ticket_valid(times, t).is_ok()).count();
            prop_assert_eq!(valid as u64, times);
            prop_assert!((0..tickets).all(|t| ticket_valid(0, t).is_ok()));
        }

        #[test]
        fn the_same_match_always_decides_alike(seed: u64, subject: u64, object: u64, number in 1u64..1000) {
            let rule = Rule { threshold: Threshold(1 << 31), seed, ..rule() };
            let at = Match { subject, object, number };
            prop_assert_eq!(triggered(&rule, at), triggered(&rule, at));
        }
    }
}
