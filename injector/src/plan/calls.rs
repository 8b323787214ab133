//! Calls to the functions where they are caught, and to the rules that name them.

use std::collections::{BTreeMap, BTreeSet};

use injector_common::call::entry;

use crate::{
    plan::{
        backend::{Backend, Site, Verdicts},
        delays,
        error::PlanError,
        instead, operations,
        placement::{Placement, place},
        unsupported::Unsupported,
        wanted::{AllWanted, Asked, Caught, End, Resolved, Wanted},
    },
    spec::{
        effect::{CallResult, Moment},
        model::{Rule, RuleKind, SyscallRule},
        object::Lookup,
    },
    syscalls::{self, Call, Machine, Safety},
};

/// Finds a place for every call of every rule; at a function of `live`, where programs are already, by the
/// same backend if that can do it.
pub(super) fn resolve(
    rules: &[Rule],
    allow_unsafe: bool,
    backends: &[&dyn Backend],
    live: &BTreeSet<Site>,
) -> Result<Resolved, PlanError> {
    let mut wanted = AllWanted::new();
    let mut notes = Vec::new();
    for (rule, number) in rules.iter().zip(0u32..) {
        match &rule.kind {
            RuleKind::Syscall(call) => {
                collect(&rule.text, call, number, allow_unsafe, &mut wanted, &mut notes)?;
            }
            RuleKind::Net(_) | RuleKind::Operation(_) | RuleKind::UserSpace(_) => {}
        }
    }
    let placement = place(&wanted, backends, live);
    let calls_of_rule = check(rules, &wanted, &placement, backends, &mut notes)?;

    let mut resolved = Resolved { sites: BTreeSet::new(), calls: BTreeMap::new(), calls_of_rule, notes };
    for (call, wanted) in &wanted {
        let Some(entry) = entry(call.abi.index(), call.number) else { continue };
        let mut caught = Caught::default();
        for behind in [false, true] {
            let Some(Ok(sites)) = placement.of(*call, behind) else { continue };
            let Some(backend) = sites.sites.first().map(|site| site.backend) else { continue };
            for (slot, site) in caught.hooks.iter_mut().zip(&sites.sites) {
                // Of two places of a call, one has hooks at most.
                *slot = site.hook.max(*slot);
            }
            caught.mask |= sites.mask;
            resolved.sites.extend(sites.sites.iter().cloned());
            let rules = wanted.rules.iter().filter(|asked| asked.behind == behind).cloned().collect();
            let end = if behind { &mut caught.behind } else { &mut caught.before };
            *end = Some(End { backend, rules });
        }
        if caught.ends().next().is_some() {
            resolved.calls.insert(entry, caught);
        }
    }
    operations::resolve(rules, allow_unsafe, backends, &mut resolved)?;
    Ok(resolved)
}

/// What is refused or to be noted of a rule before any backend is asked.
pub(super) fn check_anywhere(rule: &Rule, allow_unsafe: bool) -> Result<Vec<String>, PlanError> {
    let (mut wanted, mut notes) = (AllWanted::new(), Vec::new());
    let RuleKind::Syscall(call) = &rule.kind else { return Ok(notes) };
    collect(&rule.text, call, 0, allow_unsafe, &mut wanted, &mut notes)?;
    if wanted.is_empty() {
        return Err(nothing_left(rule, &BTreeMap::new()));
    }
    Ok(notes)
}

/// What C libraries take from the vDSO (arch/x86/entry/vdso, arch/arm64/kernel/vdso).
const VDSO: [&str; 5] = ["clock_gettime", "gettimeofday", "time", "getcpu", "clock_getres"];

/// Notes the calls of one rule, refusing or leaving out those that must not fail, and those without an
/// argument that the rule asks about.
fn collect(
    text: &str,
    rule: &SyscallRule,
    number: u32,
    allow_unsafe: bool,
    wanted: &mut AllWanted,
    notes: &mut Vec<String>,
) -> Result<(), PlanError> {
    let behind = rule.moment != Moment::Entry;
    let values = rule.effect.result.as_ref().map(CallResult::values).unwrap_or_default();
    let (mut unsafe_ones, mut without_argument, mut without_object) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for &call in &rule.calls {
        let Some(entry) = syscalls::get(call) else { continue };
        let named = rule.named.contains(&call);
        match entry.safety(behind) {
            Safety::Never(why) if named => {
                return Err(PlanError::Never { rule: text.into(), call: entry.name, why });
            }
            // A call that keeps its own result is none that fails.
            Safety::Dangerous(_) if allow_unsafe || values.is_empty() => {}
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
        let lookup = rule.filter.objects.lookup(entry);
        if lookup == Lookup::None {
            without_object.insert(entry.name);
            continue;
        }
        if let (Lookup::Hook, Some(why)) = (lookup, beyond_hooks(behind, &values)) {
            if named {
                return Err(PlanError::AtHookOnly { rule: text.into(), call: entry.name, why });
            }
            without_object.insert(entry.name);
            continue;
        }
        let known =
            wanted.entry(call).or_insert(Wanted { entry, rules: Vec::new(), before: None, behind: None });
        let descriptors = if let Lookup::Descriptors(nth) = lookup { nth } else { [0; 2] };
        known.rules.push(Asked { behind, tests, descriptors, ..Asked::by(number) });
        let verdicts = if behind { &mut known.behind } else { &mut known.before };
        let these = Verdicts {
            objects: rule.filter.objects.chosen(),
            by_hook: lookup == Lookup::Hook,
            wait: delays::wait(&rule.effect),
            ..Verdicts::of_all(&values)
        };
        *verdicts = Some(verdicts.unwrap_or_default().or(these));
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
    notes.extend(only_narrow(rule).map(|note| format!("`{text}`: {note}")));
    let mut note = |names: BTreeSet<&str>, why: &str| {
        if !names.is_empty() {
            let names: Vec<_> = names.into_iter().collect();
            notes.push(format!("`{text}` leaves out calls {why}: {}", names.join(", ")));
        }
    };
    note(unsafe_ones, "whose failure is not safe (docs/safety.md)");
    note(without_argument, "without such an argument");
    note(without_object, "that are about no such file or socket");
    Ok(())
}

/// What to say of calls that the rule names, by themselves and without an ABI, and that 64-bit programs do not have.
fn only_narrow(rule: &SyscallRule) -> impl Iterator<Item = String> {
    let names: BTreeSet<_> =
        rule.named.iter().filter_map(|call| syscalls::get(*call)).map(|entry| entry.name).collect();
    let written = |name: &str| rule.set.split(',').any(|value| value.trim_start_matches('?') == name);
    names.into_iter().filter(move |name| written(name) && syscalls::is_narrow(name, Machine::HOST)).map(
        |name| match syscalls::wide(name, Machine::HOST) {
            Some(wide) => format!("only 32-bit programs have the call {name}; 64-bit programs make {wide}"),
            None => format!("only 32-bit programs have the call {name}"),
        },
    )
}

/// The name of the call at an entry of the call table.
pub(super) fn call_name(wanted: u32) -> String {
    let found = syscalls::all(Machine::HOST)
        .find(|known| entry(known.call.abi.index(), known.call.number) == Some(wanted));
    found.map_or_else(|| format!("call {wanted}"), |known| known.name.into())
}

/// What a program at a security hook cannot do, whatever the kernel: act when the call has run, and return anything but
/// an error.
fn beyond_hooks(behind: bool, values: &[i64]) -> Option<&'static str> {
    if behind {
        return Some("the hook is passed before the call runs");
    }
    let possible = values.iter().all(|&value| injector_common::decide::safe_at_security_hook(value));
    (!possible).then_some("a hook can only return an errno from 1 to 511 other than ECHILD and ESTALE")
}

/// Counts the calls of each rule. A call that was named must be caught by its native entry or, if the
/// rule means others only, by one of those; what a set brought along may be missing, and is noted. So may a call that
/// has the number which was meant under another ABI.
fn check(
    rules: &[Rule],
    wanted: &AllWanted,
    placement: &Placement,
    backends: &[&dyn Backend],
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
            asked.filter_map(|(call, want)| Some((call, want, placement.of(*call, behind)?)))
        };
        let caught: BTreeSet<_> =
            mine().filter(|(_, _, place)| place.is_ok()).map(|(_, want, _)| want.entry.name).collect();
        // A number means the call that each ABI has there: one of them is enough.
        let numbers: BTreeSet<_> = mine()
            .filter(|(call, _, place)| place.is_ok() && spec.numbers.contains(&call.number))
            .map(|(call, ..)| call.number)
            .collect();
        let mut missing = BTreeMap::new();
        for (call, want, place) in mine() {
            if let Err(causes) = place
                && !caught.contains(want.entry.name)
            {
                missing.entry(want.entry.name).or_insert((call, causes));
            }
        }
        for (name, (call, causes)) in &missing {
            if spec.named.contains(call) && !numbers.contains(&call.number) {
                let instead = instead::of_call(rule, name, backends).map(Box::new);
                let (rule, causes) = (rule.text.clone(), (*causes).clone());
                return Err(PlanError::Kernel { rule, call: (*name).into(), causes, instead });
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
            instead: None,
        },
        None => PlanError::NothingLeft {
            rule: rule.text.clone(),
            left_out: "failing any of them is not safe".into(),
        },
    }
}
