//! Changes of plans: what goes on, what is new, what is refused; and any sequence of changes against a
//! model that counts in the simplest way.

use std::collections::HashMap;

use injector_common::{RULE_NUMBERS, config::USES_NAMES, thread};
use proptest::{prelude::*, sample::subsequence};

use crate::plan::{Change, Numbered, tests::*};

fn change(plan: &Plan, rules: &[&str]) -> Result<(Plan, Change), PlanError> {
    plan.change(&parsed(rules), &Files::new(), false, &plan.sites, &known(&backends(&[])))
}

fn numbers(rules: &[Numbered]) -> Vec<u32> {
    rules.iter().map(|rule| rule.rule).collect()
}

/// The slots of both ends of the call at an entry of the call table.
fn met(plan: &Plan, entry: u32) -> Vec<Slot> {
    let Some(rules) = plan.calls.get(&entry) else { return Vec::new() };
    let runs = [rules.run, rules.behind].map(Run::of).into_iter().filter(|run| run.count > 0);
    let slots =
        runs.flat_map(|run| plan.slots.iter().skip((run.base - plan.base) as usize).take(run.count.into()));
    slots.copied().collect()
}

#[test]
fn what_goes_on_keeps_its_number_and_its_cells() {
    let old = plan(&["fsync:error=EIO", "read:error=EIO:when=3"]).unwrap();
    let (new, change) =
        change(&old, &["openat:error=ENOENT", "read:error=EIO:when=3", "fsync:error=ENOSPC"]).unwrap();
    assert_eq!(numbers(&change.kept), [1]);
    assert_eq!(numbers(&change.added), [2, 3]);
    assert_eq!(numbers(&change.removed), [0]);
    assert_eq!(new.rules.iter().map(|rule| rule.number).collect::<Vec<_>>(), [2, 1, 3]);
    for &entry in old.calls.keys() {
        for slot in met(&old, entry).iter().filter(|slot| slot.rule == 1) {
            assert!(met(&new, entry).contains(slot));
        }
    }
    assert_eq!(new.next_number, 4);
    assert_ne!(new.base, old.base);
}

#[test]
fn the_order_is_that_of_the_new_list() {
    let old = plan(&["fsync@64:error=EIO", "fsync@64:error=EPERM"]).unwrap();
    let (new, change) = change(&old, &["fsync@64:error=EPERM", "fsync@64:error=EIO"]).unwrap();
    let entry = *old.calls.keys().next().unwrap();
    assert_eq!(met(&old, entry).iter().map(|slot| slot.rule).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(met(&new, entry).iter().map(|slot| slot.rule).collect::<Vec<_>>(), [1, 0]);
    assert!(change.added.is_empty() && change.removed.is_empty());
}

#[test]
fn of_two_rules_that_mean_the_same_each_goes_on_once() {
    let old = plan(&["fsync:error=EIO:times=1", "fsync:error=EIO:times=1"]).unwrap();
    let (new, first) = change(&old, &["fsync:error=EIO:times=1"]).unwrap();
    assert_eq!((numbers(&first.kept), numbers(&first.removed)), (vec![0], vec![1]));
    let (_, second) = change(&new, &["fsync:error=EIO:times=1", "fsync:error=EIO:times=1"]).unwrap();
    assert_eq!((numbers(&second.kept), numbers(&second.added)), (vec![0], vec![2]));
}

#[test]
fn a_live_function_keeps_its_backend() {
    // retval=0 took fsync to the kprobe; what goes on there does not come back when that rule goes.
    let old = plan(&["fsync:error=EIO", "fsync:retval=0"]).unwrap();
    assert_eq!(kinds(&old), [BackendKind::Kprobe].into());
    let (new, _) = change(&old, &["fsync:error=EIO"]).unwrap();
    assert_eq!(kinds(&new), [BackendKind::Kprobe].into());
    let (new, _) = change(&new, &["fsync:error=EIO", "read:error=EIO"]).unwrap();
    assert_eq!(kinds(&new), [BackendKind::FmodRet, BackendKind::Kprobe].into());
}

#[test]
fn a_rule_that_goes_on_is_never_taken_to_another_backend() {
    let old = plan(&["fsync:error=EIO", "read:error=EIO"]).unwrap();
    let error = change(&old, &["fsync:error=EIO", "fsync:retval=0"]).unwrap_err();
    assert!(matches!(error, PlanError::Switch { .. }), "{error}");
    assert!(error.to_string().contains("fsync") && error.to_string().contains("kprobe"), "{error}");
    // Nothing goes on there: the kprobe may take over.
    let (new, _) = change(&old, &["read:error=EIO", "fsync:retval=0"]).unwrap();
    assert_eq!(kinds(&new), [BackendKind::FmodRet, BackendKind::Kprobe].into());
}

#[test]
fn the_ends_of_a_call_change_one_without_the_other() {
    let old = plan(&["read@64:error=EIO:fd=3", "read@64:error=EINTR:at=exit"]).unwrap();
    let entry = *old.calls.keys().next().unwrap();
    let before = met(&old, entry);
    // Another backend at the entry is nothing to the rule that acts when the call has run.
    let (new, first) = change(&old, &["read@64:retval=0", "read@64:error=EINTR:at=exit"]).unwrap();
    assert_eq!((numbers(&first.kept), numbers(&first.added)), (vec![1], vec![2]));
    assert_eq!(kinds(&new), [BackendKind::Kprobe, BackendKind::Kretprobe].into());
    assert_eq!(met(&new, entry)[1], before[1]);
    let (behind, second) = change(&new, &["read@64:error=EINTR:at=exit"]).unwrap();
    assert_eq!(numbers(&second.removed), [2]);
    assert_eq!(behind.calls[&entry].run, 0);
    assert_eq!(met(&behind, entry), [Slot { order: 0, ..before[1] }]);
    let (both, _) = change(&behind, &["read@64:error=EIO:fd=3", "read@64:error=EINTR:at=exit"]).unwrap();
    assert_eq!(met(&both, entry)[0].tests, 1);
    assert_eq!(both.slots.len(), 2);
    let (entry_only, _) = change(&both, &["read@64:error=EIO:fd=3"]).unwrap();
    assert_eq!(entry_only.calls[&entry].behind, 0);
    assert_eq!(met(&entry_only, entry), met(&both, entry)[..1]);
}

#[test]
fn a_rule_with_another_filter_or_scope_is_another_rule() {
    let all = ["read:error=EIO:when=3", "read:error=EIO:when=3:fd=1", "read:error=EIO:when=3:scope=process"];
    for (nth, old) in all.iter().enumerate() {
        for (mth, new) in all.iter().enumerate() {
            let (_, change) = change(&plan(&[old]).unwrap(), &[new]).unwrap();
            assert_eq!(change.kept.len(), usize::from(nth == mth), "{old} {new}");
        }
    }
}

#[test]
fn cells_of_rules_that_are_gone_are_the_last_to_be_given_away() {
    let old = plan(&["fsync@64:error=EIO", "read@64:error=EIO"]).unwrap();
    let cells = |plan: &Plan| plan.slots.iter().map(|slot| slot.cell).collect::<BTreeSet<_>>();
    let (new, _) = change(&old, &["fsync@64:error=EPERM", "read@64:error=EIO"]).unwrap();
    assert_eq!((cells(&old), cells(&new)), ([0, 1].into(), [0, 2].into()));
    let (next, _) = change(&new, &["fsync@64:error=EIO", "read@64:error=EIO"]).unwrap();
    assert_eq!(cells(&next), [0, 1].into());
    // Where there is no other, they have to do.
    let (full, _) = change(&Plan { room: 2, ..old }, &["fsync@64:error=EPERM", "read@64:error=EIO"]).unwrap();
    assert_eq!(cells(&full), [0, 1].into());
}

#[test]
fn a_rule_that_goes_on_loses_no_call() {
    let [all, no_fsync] = [&[][..], &["fsync"]].map(|cannot| Known { kind: BackendKind::FmodRet, cannot });
    let rules = parsed(&["/^f(data)?sync$:error=EIO"]);
    let options = Options::default().seed(1).once().whole();
    let old = Plan::new(&rules, &Files::new(), options, 7, &[&all]).unwrap();
    let more = parsed(&["/^f(data)?sync$:error=EIO", "/^(fsync|read)$:retval=0:times=1", "read:error=EIO"]);
    let error = old.change(&more, &Files::new(), false, &old.sites, &[&no_fsync]).unwrap_err();
    assert!(matches!(error, PlanError::Kernel { .. } | PlanError::Loses { .. }), "{error}");
    let same = old.change(&rules, &Files::new(), false, &old.sites, &[&no_fsync]).unwrap_err();
    assert!(same.to_string().contains("could no longer make fsync fail"), "{same}");
}

#[test]
fn operations_and_patterns_go_on_in_their_places() {
    let rules = ["io read:error=EIO:path=*.db", "io write:error=EIO:path=*.wal"];
    let old = plan(&rules).unwrap();
    let places = |plan: &Plan| plan.objects.globs().map(|(place, _)| place).collect::<BTreeSet<_>>();
    let (new, said) =
        change(&old, &["io write:error=EIO:path=*.wal", "io read:error=EIO:path=*.log"]).unwrap();
    assert_eq!(
        (numbers(&said.kept), numbers(&said.added), numbers(&said.removed)),
        (vec![1], vec![2], vec![0])
    );
    // The pattern of the rule that is gone may be looked at still.
    assert_eq!((places(&old), places(&new)), ([0, 1].into(), [1, 2].into()));
    let (last, _) = change(&new, &rules).unwrap();
    assert_eq!(places(&last), [0, 1].into());
    let cell = |plan: &Plan| plan.slots.iter().find(|slot| slot.rule == 1).unwrap().cell;
    assert_eq!(cell(&old), cell(&new));
    // Programs without that cannot learn it.
    let without = plan(&["fsync:error=EIO"]).unwrap();
    assert!(matches!(change(&without, &rules), Err(PlanError::NotLoaded { .. })));
}

#[test]
fn other_numbers_leave_a_rule_what_it_is() {
    let ramp = |percent: u32| format!("net tcp : loss {percent}%");
    let other = "read@64:error=EIO:when=3";
    let mut old = plan(&[&ramp(1), other]).unwrap();
    let first = old.clone();
    for percent in 2..=61 {
        let (new, said) = change(&old, &[&ramp(percent), other]).unwrap();
        assert_eq!((numbers(&said.adjusted), numbers(&said.kept)), (vec![0], vec![1]));
        assert!(said.added.is_empty() && said.removed.is_empty() && new.next_number == 2);
        let [was, is] = [&old, &new].map(|plan| &plan.rules[0]);
        // Packets under way meet the old entry, so it is not written to.
        assert_ne!(was.entry, is.entry);
        assert_eq!((is.number, is.kernel.seed), (was.number, was.kernel.seed));
        assert_eq!(new.rules[1].entry, 1);
        let slot = new.slots.iter().find(|slot| slot.rule == 0).unwrap();
        assert_eq!((slot.entry, is.text.as_str()), (is.entry, ramp(percent)[4..].trim()));
        old = new;
    }
    // What means the same is compared first, and each rule goes on once.
    let (two, said) = change(&first, &[&ramp(5), &ramp(1)]).unwrap();
    assert_eq!((numbers(&said.kept), numbers(&said.added)), (vec![0], vec![2]));
    assert_eq!(two.rules.iter().map(|rule| rule.number).collect::<Vec<_>>(), [2, 0]);
    // All rules of a full plan at once, twice.
    let all =
        |percent: usize| (0..MAX_RULES).map(move |nth| format!("net length {} : loss {percent}%", nth + 100));
    let texts = |percent| all(percent).collect::<Vec<_>>();
    let mut full = plan(&texts(1).iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    for percent in 2..5 {
        let texts = texts(percent);
        let (new, said) = change(&full, &texts.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert_eq!(said.adjusted.len(), MAX_RULES);
        let entries = |plan: &Plan| plan.rules.iter().map(|rule| rule.entry).collect::<BTreeSet<_>>();
        assert!(entries(&full).is_disjoint(&entries(&new)) && entries(&new).len() == MAX_RULES);
        full = new;
    }
}

#[test]
fn a_repertoire_is_ready_from_the_start() {
    let rules =
        ["read@64:error=EIO", "io write:error=EIO:path=*.wal", "fsync@64:delay_enter=1s", "net loss 1%"];
    let prepared = |rules: &[&str]| {
        let options = Options::default().seed(1).repertoire(parsed(rules));
        Plan::new(&[], &Files::new(), options, 7, &known(&backends(&[]))).unwrap()
    };
    let idle = prepared(&rules);
    assert!(idle.calls.is_empty() && idle.slots.is_empty() && !idle.needs_calls() && !idle.needs_packets());
    assert!(idle.packets && idle.delays_calls() && !idle.sites.is_empty());
    for rule in rules {
        let (one, said) = change(&idle, &[rule]).unwrap();
        assert_eq!(numbers(&said.added), [0], "{rule}");
        // What it needs is there already, and stays when the rule is gone.
        assert_eq!(one.sites, idle.sites, "{rule}");
        let (none, said) = change(&one, &[]).unwrap();
        assert_eq!((numbers(&said.removed), &none.sites), (vec![0], &idle.sites), "{rule}");
    }
    let (all, _) = change(&idle, &rules).unwrap();
    assert_eq!(all.sites, idle.sites);
    // What is not in it is refused where programs cannot learn it, and attached where they can.
    assert!(matches!(change(&prepared(&rules[..1]), &rules[1..2]), Err(PlanError::NotLoaded { .. })));
    let (other, _) = change(&prepared(&rules[..1]), &["openat@64:error=EIO"]).unwrap();
    assert!(other.sites.is_superset(&idle.sites.iter().take(1).cloned().collect()) && other.sites.len() > 1);
}

#[test]
fn what_does_not_fit_is_refused() {
    let old = plan(&["fsync:error=EIO"]).unwrap();
    assert!(matches!(change(&old, &["all:error=EIO"]), Err(PlanError::NoRoom { .. })));
    assert!(matches!(
        change(&old, &vec!["fsync:error=EIO"; MAX_RULES + 1]),
        Err(PlanError::TooManyRules { .. })
    ));
    assert!(matches!(change(&old, &["close:error=EIO"]), Err(PlanError::Dangerous { .. })));
    assert!(matches!(change(&old, &["fsync:delay_enter=5"]), Err(PlanError::DelayTooShort { .. })));
    let used_up = Plan { next_number: u32::try_from(RULE_NUMBERS).unwrap(), ..old };
    assert!(change(&used_up, &["fsync:error=EIO"]).is_ok());
    assert!(matches!(change(&used_up, &["fsync:error=EPERM"]), Err(PlanError::NoNumbers)));
}

#[test]
fn programs_that_are_not_whole_take_no_more_than_they_can_do() {
    let whole = plan(&["fsync:error=EIO", "read:error=EIO:comm=dd"]).unwrap();
    let part = Plan { features: USES_NAMES, ..whole };
    assert!(change(&part, &["write:error=EIO:comm=cp"]).is_ok());
    for rule in ["write:error=EIO:count>1", "write:error=EIO:scope=rule", "write:error=EIO/EPERM"] {
        let error = change(&part, &["fsync:error=EIO", rule]).unwrap_err();
        assert!(error.to_string().contains(rule), "{error}");
        assert!(matches!(error, PlanError::NotLoaded { .. }));
    }
}

#[test]
fn packets_and_calls_may_take_each_other_s_place() {
    let old = plan(&["net loss 1%"]).unwrap();
    let (new, _) = change(&old, &["fsync:error=EIO", "net ingress : loss 1%", "net loss 1%"]).unwrap();
    assert!(new.needs_calls() && new.needs_ingress() && new.needs_egress());
    let order = |plan: &Plan| met(plan, PACKETS).iter().map(|slot| slot.rule).collect::<Vec<_>>();
    assert_eq!((order(&old), order(&new)), (vec![0], vec![2, 0]));
    let (last, _) = change(&new, &["fsync:error=EIO"]).unwrap();
    assert!(last.needs_calls() && !last.needs_ingress() && !last.needs_egress());
    assert!(order(&last).is_empty());
}

#[test]
fn a_note_is_told_once() {
    let old = plan(&["%desc:error=EIO:when=2"]).unwrap();
    let room = Plan { room: 2000, ..old };
    let (new, first) = change(&room, &["%desc:error=EIO:when=2", "read:error=EIO"]).unwrap();
    assert_eq!(first.notes, Vec::<String>::new());
    let (_, second) = change(&new, &["%desc:error=EIO:when=4"]).unwrap();
    assert_eq!(second.notes.len(), 1);
}

const RULES: [&str; 12] = [
    "fsync:error=EIO",
    "fsync:error=EIO:when=3+",
    "fsync:error=EIO",
    "read,fsync:error=EPERM",
    "/^open:error=ENOENT",
    "read@64:error=EINTR:times=2",
    "net loss 1%",
    "net ingress : loss 1%",
    "net loss 1%",
    "read,fsync:error=EIO:at=exit",
    "read@64:error=EIO:on=failure:fd=3",
    "read:error=EIO:scope=process",
];

proptest! {
    /// One thread that makes every call between changes: each rule counts its own matches of each call, from
    /// when it came, whatever else changes.
    #[test]
    fn any_changes_keep_all_counts(
        lists in prop::collection::vec(subsequence(RULES.to_vec(), 1..=RULES.len()).prop_shuffle(), 1..12)
    ) {
        let mut lists = lists.into_iter();
        let mut plan = plan(&lists.next().unwrap()).unwrap();
        let mut state = vec![0u64; plan.room as usize];
        let mut model: HashMap<(u32, u32), u64> = HashMap::new();
        let mut texts: HashMap<u32, String> = HashMap::new();
        for list in lists {
            for &entry in plan.calls.keys().filter(|&&entry| entry != PACKETS) {
                for slot in met(&plan, entry) {
                    let cell = &mut state[slot.cell as usize];
                    *cell = thread::count(*cell, slot.rule);
                    let count = model.entry((slot.rule, entry)).or_default();
                    *count += 1;
                    prop_assert_eq!(thread::number(*cell), *count);
                }
            }
            let before = plan.clone();
            let Ok((after, change)) = change(&plan, &list) else {
                prop_assert!(false, "{:?} refused", list);
                return Ok(());
            };
            plan = after;
            // A list of rules that mean the same, taken one by one, is the largest that can go on.
            let mut ours: Vec<_> = before.rules.iter().map(|rule| rule.asked.clone()).collect();
            let kept = parsed(&list).iter().filter(|rule| {
                ours.iter().position(|old| *old == rule.kind).map(|at| ours.remove(at)).is_some()
            }).count();
            prop_assert_eq!(change.kept.len(), kept);
            prop_assert_eq!(change.kept.len() + change.added.len(), list.len());
            prop_assert_eq!(change.kept.len() + change.removed.len(), before.rules.len());
            prop_assert!(numbers(&change.added).iter().all(|&number| number >= before.next_number));
            prop_assert_ne!(plan.base, before.base);
            prop_assert!(plan.slots.len() <= plan.room as usize);
            for (rule, text) in plan.rules.iter().zip(&list) {
                prop_assert_eq!(&rule.text, text.trim_start_matches("net "));
                let known = texts.entry(rule.number).or_insert_with(|| rule.text.clone());
                prop_assert_eq!(known, &rule.text);
            }
            let mut cells = BTreeSet::new();
            for &entry in plan.calls.keys() {
                let slots = met(&plan, entry);
                let place = |slot: &Slot| plan.rules.iter().position(|rule| rule.number == slot.rule);
                let behind = |slot: &Slot| {
                    place(slot).is_some_and(|at| plan.rules[at].kernel.moment != MomentCode::ENTRY)
                };
                prop_assert!(slots.iter().map(|slot| (behind(slot), place(slot))).is_sorted());
                if entry != PACKETS {
                    prop_assert!(slots.iter().all(|slot| cells.insert(slot.cell)));
                }
            }
        }
    }
}
