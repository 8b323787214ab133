//! Calls to the functions where they are caught, and to the slots of their rules.

use std::collections::{BTreeMap, BTreeSet};

use injector_common::{
    argument::ArgTest,
    call::{CallRules, entry},
    rule::Slot,
    thread::MAX_SLOTS,
};

use super::{
    error::PlanError,
    packets,
    places::{Places, place},
};
use crate::{
    kernel::{
        Unsupported,
        syscall::{Backend, Site, Verdicts},
    },
    spec::{
        effect::{CallResult, Moment},
        model::{Rule, RuleKind, SyscallRule},
    },
    syscalls::{self, Call, Entry, Safety},
};

/// What comes out.
pub(super) struct Resolved {
    pub(super) sites: BTreeSet<Site>,
    pub(super) calls: BTreeMap<u32, CallRules>,
    pub(super) slots: Vec<Slot>,
    /// By rule.
    pub(super) calls_of_rule: Vec<usize>,
    pub(super) notes: Vec<String>,
}

/// A call with the rules that name it.
pub(super) struct Wanted {
    pub(super) entry: &'static Entry,
    rules: Vec<Asked>,
    /// What its rules want it to return without running; none of them acts there if there is none.
    pub(super) before: Option<Verdicts>,
    /// The same when it has run.
    pub(super) behind: Option<Verdicts>,
}

/// A rule of a call.
struct Asked {
    rule: u32,
    behind: bool,
    tests: Vec<ArgTest>,
}

/// The calls that rules name.
pub(super) type AllWanted = BTreeMap<Call, Wanted>;

/// Finds a place for every call of every rule.
pub(super) fn resolve(
    rules: &[Rule],
    insist: bool,
    backends: &[Box<dyn Backend + '_>],
) -> Result<Resolved, PlanError> {
    let mut wanted = AllWanted::new();
    let mut notes = Vec::new();
    for (rule, number) in rules.iter().zip(0u32..) {
        match &rule.kind {
            RuleKind::Syscall(call) => collect(&rule.text, call, number, insist, &mut wanted, &mut notes)?,
            RuleKind::Net(net) if !packets::ports_fit(net) => {
                return Err(PlanError::TooManyPorts { rule: rule.text.clone() });
            }
            RuleKind::Net(_) => {}
        }
    }
    let places = place(&wanted, backends);
    let calls_of_rule = check(rules, &wanted, &places, &mut notes)?;

    let mut resolved =
        Resolved { sites: BTreeSet::new(), calls: BTreeMap::new(), slots: Vec::new(), calls_of_rule, notes };
    for (call, wanted) in &wanted {
        let Some(entry) = entry(call.abi.index(), call.number) else { continue };
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut rules = CallRules { base: number(resolved.slots.len()), ..CallRules::default() };
        for behind in [false, true] {
            let Some(Ok(sites)) = places.of(*call, behind) else { continue };
            for (slot, site) in rules.hooks.iter_mut().zip(&sites.sites) {
                // Of two places of a call, one has hooks at most.
                *slot = site.hook.max(*slot);
            }
            rules.mask |= sites.mask;
            resolved.sites.extend(sites.sites.iter().cloned());
        }
        let caught = |asked: &&Asked| places.of(*call, asked.behind).is_some_and(Result::is_ok);
        resolved.slots.extend(wanted.rules.iter().filter(caught).map(Asked::slot));
        rules.count = number(resolved.slots.len()) - rules.base;
        if rules.count > 0 {
            resolved.calls.insert(entry, rules);
        }
    }
    if resolved.slots.len() > MAX_SLOTS as usize {
        return Err(PlanError::TooManySlots { slots: resolved.slots.len() });
    }
    Ok(resolved)
}

impl Asked {
    fn slot(&self) -> Slot {
        let mut slot = Slot::of(self.rule);
        slot.tests = u32::try_from(self.tests.len()).unwrap_or(0);
        for (to, from) in slot.arguments.iter_mut().zip(&self.tests) {
            *to = *from;
        }
        slot
    }
}

/// What C libraries take from the vDSO (arch/x86/entry/vdso, arch/arm64/kernel/vdso).
const VDSO: [&str; 5] = ["clock_gettime", "gettimeofday", "time", "getcpu", "clock_getres"];

/// Notes the calls of one rule, refusing or leaving out those that must not fail, and those without an
/// argument that the rule asks about.
fn collect(
    text: &str,
    rule: &SyscallRule,
    number: u32,
    insist: bool,
    wanted: &mut AllWanted,
    notes: &mut Vec<String>,
) -> Result<(), PlanError> {
    let behind = rule.moment != Moment::Entry;
    let values = rule.effect.result.as_ref().map(CallResult::values).unwrap_or_default();
    let (mut unsafe_ones, mut without_argument) = (BTreeSet::new(), BTreeSet::new());
    for &call in &rule.calls {
        let Some(entry) = syscalls::get(call) else { continue };
        let named = rule.named.contains(&call);
        match entry.safety(behind) {
            Safety::Never(why) if named => {
                return Err(PlanError::Never { rule: text.into(), call: entry.name, why });
            }
            // A call that keeps its own result is none that fails.
            Safety::Dangerous(_) if insist || values.is_empty() => {}
            Safety::Dangerous(why) if named => {
                return Err(PlanError::Dangerous { rule: text.into(), call: entry.name, why });
            }
            Safety::Never(_) | Safety::Dangerous(_) => {
                unsafe_ones.insert(entry.name);
                continue;
            }
            Safety::Free => {}
        }
        let tests: Option<Vec<_>> = rule.filter.tests.iter().map(|test| test.of(entry)).collect();
        let Some(tests) = tests else {
            without_argument.insert(entry.name);
            continue;
        };
        let known =
            wanted.entry(call).or_insert(Wanted { entry, rules: Vec::new(), before: None, behind: None });
        known.rules.push(Asked { rule: number, behind, tests });
        let verdicts = if behind { &mut known.behind } else { &mut known.before };
        *verdicts = Some(verdicts.unwrap_or_default().or(Verdicts::of_all(&values)));
    }
    let by_vdso: BTreeSet<_> =
        rule.named.iter().filter_map(|call| syscalls::get(*call)).map(|entry| entry.name).collect();
    let by_vdso: Vec<_> = by_vdso.into_iter().filter(|name| VDSO.contains(name)).collect();
    if !by_vdso.is_empty() {
        notes.push(format!(
            "`{text}`: {} is usually answered in the process itself (vDSO), where nothing can fail it",
            by_vdso.join(", ")
        ));
    }
    let mut note = |names: BTreeSet<&str>, why: &str| {
        if !names.is_empty() {
            let names: Vec<_> = names.into_iter().collect();
            notes.push(format!("`{text}` leaves out calls {why}: {}", names.join(", ")));
        }
    };
    note(unsafe_ones, "whose failure is not safe (docs/safety.md)");
    note(without_argument, "without such an argument");
    Ok(())
}

/// Counts the calls of each rule. A call that was named must be caught by its native entry or, if the
/// rule means others only, by one of those; what a set brought along may be missing, and is noted.
fn check(
    rules: &[Rule],
    wanted: &AllWanted,
    places: &Places,
    notes: &mut Vec<String>,
) -> Result<Vec<usize>, PlanError> {
    let mut counts = Vec::new();
    for (rule, number) in rules.iter().zip(0u32..) {
        let RuleKind::Syscall(spec) = &rule.kind else {
            counts.push(0);
            continue;
        };
        let behind = spec.moment != Moment::Entry;
        let mine = || {
            let asked = wanted.iter().filter(|(_, want)| want.rules.iter().any(|asked| asked.rule == number));
            asked.filter_map(|(call, want)| Some((call, want, places.of(*call, behind)?)))
        };
        let caught: BTreeSet<_> =
            mine().filter(|(_, _, place)| place.is_ok()).map(|(_, want, _)| want.entry.name).collect();
        let mut missing = BTreeMap::new();
        for (call, want, place) in mine() {
            if let Err(causes) = place
                && !caught.contains(want.entry.name)
            {
                missing.entry(want.entry.name).or_insert((call, causes));
            }
        }
        for (name, (call, causes)) in &missing {
            if spec.named.contains(call) {
                let (rule, causes) = (rule.text.clone(), (*causes).clone());
                return Err(PlanError::Kernel { rule, call: (*name).into(), causes });
            }
        }
        if caught.is_empty() {
            return Err(nothing_left(rule, &missing));
        }
        if !missing.is_empty() {
            let names: Vec<_> = missing.keys().copied().collect();
            notes.push(format!(
                "`{}` leaves out calls that this kernel cannot make fail ({}): {}",
                rule.text,
                names.len(),
                names.join(", ")
            ));
        }
        counts.push(mine().filter(|(_, _, place)| place.is_ok()).count());
    }
    Ok(counts)
}

fn nothing_left(rule: &Rule, missing: &BTreeMap<&str, (&Call, &Vec<Unsupported>)>) -> PlanError {
    match missing.values().next() {
        Some((_, causes)) => PlanError::Kernel {
            rule: rule.text.clone(),
            call: "any call of that set".into(),
            causes: (*causes).clone(),
        },
        None => PlanError::NothingLeft {
            rule: rule.text.clone(),
            left_out: "failing any of them is not safe".into(),
        },
    }
}
