//! The decision: does a rule that matches fire?
//!
//! One order for every layer, kept by [`decide`]: the plan's end, the rule's switch, `when=`, the probability, the order of the rules,
//! `times=`, `--monitor`. So a rule that an earlier one overrules does not use up its `times=`, and its `when=` counts
//! on; and what `--monitor` counts is what would have fired.

use crate::{
    code::{FaultCode, MomentCode},
    counters::Reason,
    random,
    rule::{MAX_CHOICES, Rule},
    thread::is_restart_code,
};

/// What identifies one match of a rule. See [`random::draw`].
#[derive(Clone, Copy, Debug)]
pub struct Match {
    /// The position of the thread, or of its process's first one, in the process tree; 0 for packets and where
    /// all matches of a rule count together.
    pub subject: u64,
    /// The call, as its entry in the call table plus one; 0 like `subject`.
    pub object: u64,
    /// The number of this match, from 1: per rule, subject and object.
    pub number: u64,
}

impl Match {
    /// The match with this number where all of a rule count together, as those of packets do.
    #[inline(always)]
    #[must_use]
    pub const fn of_rule(number: u64) -> Self {
        Self { subject: 0, object: 0, number }
    }
}

/// How the plan and the rule stand while it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Neither the deadline nor the lease has passed.
    pub alive: bool,
    /// The rule is switched off.
    pub paused: bool,
    /// `--monitor`: nothing is to happen.
    pub monitor: bool,
}

/// What a match comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<T> {
    /// This happens.
    Fires(T),
    /// This would have happened. It overrules later rules as if it had, and nothing else comes of it.
    Monitored(T),
    /// Nothing happens.
    Suppressed(Reason),
}

/// Decides the match `at` of `rule`. `effect` says what the rule would do, or [`Reason::Overruled`] where an earlier
/// one leaves it nothing; it is asked only if the triggers hold. `ticket` takes the next number, from 0, of those
/// that count for `times=`; it is asked only if nothing else is in the way.
#[inline(always)]
pub fn decide<T>(
    rule: &Rule,
    at: Match,
    standing: Standing,
    effect: impl FnOnce() -> Result<T, Reason>,
    ticket: impl FnOnce() -> u64,
) -> Decision<T> {
    if !standing.alive {
        return Decision::Suppressed(Reason::Expired);
    }
    if standing.paused {
        return Decision::Suppressed(Reason::Paused);
    }
    if let Err(reason) = triggered(rule, at) {
        return Decision::Suppressed(reason);
    }
    let effect = match effect() {
        Ok(effect) => effect,
        Err(reason) => return Decision::Suppressed(reason),
    };
    if rule.times != 0
        && let Err(reason) = ticket_valid(rule.times, ticket())
    {
        return Decision::Suppressed(reason);
    }
    if standing.monitor { Decision::Monitored(effect) } else { Decision::Fires(effect) }
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

/// What a call that fires returns by this rule, if the rule gives it a result. Which of several errors it is
/// was never drawn before: another draw than that of the probability.
#[inline(always)]
#[must_use]
pub const fn result(rule: &Rule, at: Match) -> i64 {
    if !matches!(rule.fault, FaultCode::CHOICE) {
        return rule.value;
    }
    let draw = random::draw(random::mix(rule.seed), at.subject, at.object, at.number);
    // How many of them are below or at the draw, counted without a branch (the difference of two values
    // below 2^63 has a sign). The last one has 2^32, which no draw reaches.
    let mut chosen = 0;
    let mut nth = 0;
    while nth < MAX_CHOICES {
        chosen += (rule.choices[nth].below.wrapping_sub(1).wrapping_sub(draw) >> 63) as usize;
        nth += 1;
    }
    rule.choices[chosen & (MAX_CHOICES - 1)].value
}

/// Does the rule mean a call with this `outcome`, which is `None` before the call has run? A rule has slots only at the
/// end of its calls that its moment names, so the outcome is all that is left to compare (`on=success`, `on=failure`).
#[inline(always)]
#[must_use]
pub const fn outcome_matches(rule: &Rule, outcome: Option<i64>) -> bool {
    const LOWEST_ERROR: i64 = -4095;
    let Some(value) = outcome else { return true };
    // The caller does not see it: the call has not ended.
    if is_restart_code(value) {
        return false;
    }
    let failed = LOWEST_ERROR <= value && value < 0;
    match rule.moment {
        MomentCode::SUCCESS => !failed,
        MomentCode::FAILURE => failed,
        _ => true,
    }
}

/// Is a thread of this name (as the kernel keeps it, 16 bytes) meant by the rule?
#[inline(always)]
#[must_use]
pub const fn named(rule: &Rule, comm: [u64; 2]) -> bool {
    (comm[0] & rule.comm_mask[0] ^ rule.comm[0]) | (comm[1] & rule.comm_mask[1] ^ rule.comm[1]) == 0
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
    use crate::{
        code::MomentCode,
        rule::Choice,
        trigger::{Threshold, When},
    };

    fn choices(weights: &[(u64, i64)]) -> Rule {
        let unused = Choice { below: Choice::UNUSED, value: 0 };
        let mut rule = Rule { fault: FaultCode::CHOICE, choices: [unused; MAX_CHOICES], ..rule() };
        for (slot, &(below, value)) in rule.choices.iter_mut().zip(weights) {
            *slot = Choice { below, value };
        }
        rule
    }

    #[test]
    fn errors_come_by_their_weights() {
        let rule = choices(&[((1 << 32) / 4, -5), (1 << 32, -28)]);
        let at = |number| Match { subject: 7, object: 1, number };
        let draws = (1..=10_000).map(|number| result(&rule, at(number)));
        let fives = draws.clone().filter(|&value| value == -5).count();
        assert_eq!(draws.clone().filter(|&value| value == -28).count(), 10_000 - fives);
        assert!((2300..2700).contains(&fives), "{fives}");
        assert_eq!(draws.collect::<Vec<_>>(), (1..=10_000).map(|n| result(&rule, at(n))).collect::<Vec<_>>());
    }

    #[test]
    fn eight_errors_are_all_chosen() {
        let eight: Vec<_> = (1..=8).map(|n: u64| ((n << 32) / 8, -n.cast_signed())).collect();
        let rule = choices(&eight);
        let drawn = (1..1000).map(|number| result(&rule, Match { subject: 0, object: 0, number }));
        assert_eq!(drawn.collect::<std::collections::BTreeSet<_>>(), (-8..=-1).collect());
    }

    #[test]
    fn success_and_failure_are_kept_apart() {
        let at = |moment| Rule { moment, ..rule() };
        assert!(outcome_matches(&at(MomentCode::ENTRY), None));
        for (moment, value, expected) in [
            (MomentCode::EXIT, 0, true),
            (MomentCode::EXIT, -5, true),
            (MomentCode::SUCCESS, 0, true),
            (MomentCode::SUCCESS, -4095, false),
            (MomentCode::SUCCESS, -4096, true),
            (MomentCode::FAILURE, -1, true),
            (MomentCode::FAILURE, -4095, true),
            (MomentCode::FAILURE, 0, false),
            (MomentCode::FAILURE, -4096, false),
            (MomentCode::EXIT, -512, false),
            (MomentCode::FAILURE, -516, false),
        ] {
            assert_eq!(outcome_matches(&at(moment), Some(value)), expected, "{moment:?} {value}");
        }
    }

    #[test]
    fn a_name_is_compared_as_far_as_is_asked() {
        let comm = |name: &[u8]| {
            let mut bytes = [0; 16];
            bytes[..name.len()].copy_from_slice(name);
            bytemuck::cast::<_, [u64; 2]>(bytes)
        };
        let exact = Rule { comm_mask: [u64::MAX; 2], comm: comm(b"redis"), ..rule() };
        assert!(named(&exact, comm(b"redis")) && !named(&exact, comm(b"redis-cli")));
        let start = Rule { comm_mask: comm(b"\xff\xff\xff\xff\xff"), comm: comm(b"redis"), ..rule() };
        assert!(named(&start, comm(b"redis-cli")) && !named(&start, comm(b"radis")));
        assert!(named(&rule(), comm(b"anything")));
    }

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

        /// Three rules on the same matches, with and without `--monitor`: each counts the same, and with it none acts.
        #[test]
        fn monitored_is_what_would_have_fired(
            seed: u64, half in 0u64..=1 << 32, first in 1u32..5, step in 1u32..4, times in 0u64..6, alive: bool,
        ) {
            let when = When { first, last: When::FOREVER, step, _pad: 0 };
            let rules = [0, 1, 2].map(|nth| Rule {
                when, times, threshold: Threshold(half), seed: seed.wrapping_add(nth), ..rule()
            });
            let count = |monitor| {
                let (mut tickets, mut acted) = ([0u64; 3], 0);
                let mut outcomes = Vec::new();
                for number in 1..=20 {
                    let mut decided = false;
                    for (rule, tickets) in rules.iter().zip(&mut tickets) {
                        let effect = || if decided { Err(Reason::Overruled) } else { Ok(()) };
                        let ticket = || { *tickets += 1; *tickets - 1 };
                        let at = Match { subject: 0, object: 0, number };
                        let decision = decide(rule, at, Standing { alive, paused: false, monitor }, effect, ticket);
                        acted += u32::from(decision == Decision::Fires(()));
                        let suppressed = match decision {
                            Decision::Suppressed(reason) => Some(reason),
                            Decision::Fires(()) | Decision::Monitored(()) => None,
                        };
                        decided |= suppressed.is_none();
                        outcomes.push(suppressed);
                    }
                }
                (outcomes, tickets, acted)
            };
            let (real, real_tickets, _) = count(false);
            let (monitored, monitored_tickets, acted) = count(true);
            prop_assert_eq!(real, monitored);
            prop_assert_eq!(real_tickets, monitored_tickets);
            prop_assert_eq!(acted, 0);
        }

        /// The order of the reasons, said slowly: the first that holds is the one that is told.
        #[test]
        fn the_first_reason_is_told(
            alive: bool, paused: bool, when: bool, chance: bool, overruled: bool, used_up: bool, monitor: bool,
        ) {
            let rule = Rule {
                when: if when { When::ALWAYS } else { When { first: 9, ..When::ALWAYS } },
                threshold: Threshold(if chance { 1 << 32 } else { 0 }),
                times: 3,
                ..rule()
            };
            let reasons = [
                (!alive, Reason::Expired),
                (paused, Reason::Paused),
                (!when, Reason::When),
                (!chance, Reason::Probability),
                (overruled, Reason::Overruled),
                (used_up, Reason::Times),
            ];
            let expected = match reasons.into_iter().find(|(holds, _)| *holds) {
                Some((_, reason)) => Decision::Suppressed(reason),
                None if monitor => Decision::Monitored(7),
                None => Decision::Fires(7),
            };
            let at = Match { subject: 0, object: 0, number: 1 };
            let effect = || if overruled { Err(Reason::Overruled) } else { Ok(7) };
            let mut asked = false;
            let ticket = || { asked = true; if used_up { 3 } else { 0 } };
            let standing = Standing { alive, paused, monitor };
            prop_assert_eq!(decide(&rule, at, standing, effect, ticket), expected);
            prop_assert_eq!(asked, alive && !paused && when && chance && !overruled);
        }

        #[test]
        fn the_same_match_always_decides_alike(seed: u64, subject: u64, object: u64, number in 1u64..1000) {
            let rule = Rule { threshold: Threshold(1 << 31), seed, ..rule() };
            let at = Match { subject, object, number };
            prop_assert_eq!(triggered(&rule, at), triggered(&rule, at));
        }
    }
}
