//! Which rounds and processes a rule chooses, by its seed; and what it does to processes of this test.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::*;
use crate::{
    distribution::Files,
    faults::process::asked::of,
    plan::{Options, Plan},
    spec::process,
    target::{Init, Process, Procfs},
};

/// As a plan with this seed has it.
fn rule(text: &str, seed: u64) -> Acting {
    let rules = [process(text).unwrap()];
    let plan = Plan::new(&rules, &Files::default(), Options::default().seed(seed), 1, &[]).unwrap();
    let rule = &plan.rules[0];
    Acting::new(rule, of(rule).unwrap(), 0)
}

/// Which of so many processes in so many rounds get their signal.
fn chosen(text: &str, seed: u64, processes: u64, rounds: u64) -> BTreeSet<(u64, u64)> {
    let rule = rule(text, seed);
    let standing = Standing { alive: true, paused: false, monitor: false };
    let all = (1..=rounds).flat_map(|round| (0..processes).map(move |place| (round, place)));
    let fires = |&(round, place): &(u64, u64)| {
        let decision = decide(&rule.kernel, of_process(0, place, round), standing, || Ok(()), || 0);
        decision == Decision::Fires(())
    };
    all.filter(fires).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_seed_chooses_the_same(seed: u64, percent in 1_u32..=100) {
        let text = format!("kill SIGTERM:every=1s:prob={percent}%");
        prop_assert_eq!(chosen(&text, seed, 20, 20), chosen(&text, seed, 20, 20));
        let other = chosen(&text, seed ^ 1, 20, 20);
        prop_assert!(!(5..=95).contains(&percent) || other != chosen(&text, seed, 20, 20));
    }

    #[test]
    fn a_higher_probability_only_adds(seed: u64, low in 1_u32..=100, high in 1_u32..=100) {
        let of = |percent: u32| chosen(&format!("kill SIGTERM:every=1s:prob={percent}%"), seed, 20, 20);
        prop_assert!(of(low.min(high)).is_subset(&of(low.max(high))));
    }

    #[test]
    fn when_counts_rounds(seed: u64, first in 1_u64..10, step in 1_u64..5) {
        let rounds: BTreeSet<_> = chosen(&format!("kill SIGTERM:every=1s:when={first}+{step}"), seed, 2, 20)
            .into_iter()
            .map(|(round, _)| round)
            .collect();
        prop_assert!(rounds.iter().copied().eq((first..=20).step_by(usize::try_from(step).unwrap())));
    }
}

/// A shell with children, all of which end with this.
struct Tree(Child);

impl Tree {
    fn start(children: usize) -> Self {
        let script = "sleep 60 & ".repeat(children) + "wait";
        let shell = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).spawn().unwrap();
        let tree = Self(shell);
        wait_until(|| tree.children().iter().filter(|child| child.comm() == "sleep").count() == children);
        tree
    }

    fn open(&self) -> Process {
        Process::open(self.0.id(), Init::Refused, &Procfs::default()).unwrap()
    }

    fn children(&self) -> Vec<Process> {
        self.open().descendants().unwrap()
    }

    /// Is everybody stopped, or nobody?
    fn stands(&self) -> Option<bool> {
        let all: BTreeSet<_> =
            self.children().iter().chain([&self.open()]).map(Process::was_stopped).collect();
        (all.len() == 1).then(|| all.contains(&true))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        for child in self.children() {
            let _ = rustix::process::pidfd_send_signal(child.pidfd(), rustix::process::Signal::KILL);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_until(holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never came");
        sleep(Duration::from_millis(5));
    }
}

/// What a look at the rule `now` after the beginning says and does.
fn look(
    rule: &mut Acting,
    tree: &Tree,
    top: &Path,
    now: Duration,
    standing: Standing,
) -> (Vec<Deed>, Vec<String>) {
    let spared = Spared { own: BTreeSet::new(), init: Init::Refused, procfs: Procfs::default() };
    let (mut deeds, mut notes, mut remains) = (Vec::new(), Vec::new(), Vec::new());
    let targets = [Target::Process(tree.open())];
    let mut around = Surroundings {
        plan: 1,
        now: crate::clock::nanoseconds(now),
        alive: standing.alive,
        monitor: standing.monitor,
        guarded: true,
        targets: &targets,
        spared: &spared,
        top,
        deeds: &mut deeds,
        notes: &mut notes,
        remains: &mut remains,
    };
    rule.look(standing.paused, &mut around);
    assert!(remains.is_empty(), "{remains:?}");
    (deeds, notes)
}

const ACTS: Standing = Standing { alive: true, paused: false, monitor: false };

#[test]
fn a_signal_reaches_those_of_the_name_as_often_as_is_said() {
    let (tree, top) = (Tree::start(3), tempfile::tempdir().unwrap());
    let mut rule = rule("kill SIGKILL:comm=sleep:times=2", 7);
    let (deeds, notes) = look(&mut rule, &tree, top.path(), Duration::ZERO, ACTS);
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!((rule.counters.matched, rule.counters.fired), (3, 2));
    assert_eq!(rule.counters.suppressed[Reason::Times as usize], 1);
    assert!(deeds.iter().all(|deed| matches!(&deed.what, What::Signalled { comm, .. } if comm == "sleep")));
    wait_until(|| tree.children().iter().filter(|child| child.comm() == "sleep").count() == 1);
    // The only round is over.
    assert!(look(&mut rule, &tree, top.path(), Duration::from_secs(9), ACTS).0.is_empty());
    assert_eq!(rule.next(), None);
}

#[test]
fn who_only_watches_kills_nobody() {
    let (tree, top) = (Tree::start(2), tempfile::tempdir().unwrap());
    let mut rule = rule("kill SIGKILL", 7);
    look(&mut rule, &tree, top.path(), Duration::ZERO, Standing { monitor: true, ..ACTS });
    assert_eq!((rule.counters.matched, rule.counters.fired), (3, 0));
    assert_eq!(rule.counters.suppressed[Reason::Monitored as usize], 3);
    assert_eq!(tree.children().len(), 2);
}

#[test]
fn a_tree_stands_still_for_the_time_of_a_pause() {
    let (tree, top) = (Tree::start(2), tempfile::tempdir().unwrap());
    let mut rule = rule("pause:after=1s:for=2s:every=10s:times=1", 7);
    let at = |rule: &mut Acting, seconds: u64, standing| {
        let (_, notes) = look(rule, &tree, top.path(), Duration::from_secs(seconds), standing);
        if notes.iter().any(|note| note.contains("not supported")) {
            eprintln!("no extended attributes here: {notes:?}");
            return false;
        }
        assert!(notes.is_empty(), "{notes:?}");
        true
    };
    assert!(at(&mut rule, 0, ACTS));
    assert_eq!(tree.stands(), Some(false));
    if !at(&mut rule, 1, ACTS) {
        return;
    }
    wait_until(|| tree.stands() == Some(true));
    // Switched off, on again, and the plan's end while it lasts.
    for (standing, stands) in [
        (Standing { paused: true, ..ACTS }, false),
        (ACTS, true),
        (Standing { alive: false, ..ACTS }, false),
        (ACTS, true),
    ] {
        at(&mut rule, 2, standing);
        wait_until(|| tree.stands() == Some(stands));
    }
    at(&mut rule, 3, ACTS);
    wait_until(|| tree.stands() == Some(false));
    assert_eq!(mark::undo_all([top.path()], |_| true), (Vec::new(), Vec::new()), "no mark is left");
    // The second is one too many.
    at(&mut rule, 11, ACTS);
    assert_eq!((rule.counters.matched, rule.counters.fired), (2, 1));
    assert_eq!(tree.stands(), Some(false));
}
