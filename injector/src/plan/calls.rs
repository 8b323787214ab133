//! Calls to the functions where they are caught, and to the rules that name them.

use std::collections::{BTreeMap, BTreeSet};

use injector_common::call::entry;

use super::{error::PlanError, packets};
use crate::{
    kernel::{
        Unsupported,
        syscall::{Backend, BackendKind, Site, Sites, Verdicts},
    },
    spec::model::{Rule, RuleKind, SyscallRule},
    syscalls::{self, Call, Entry, Machine, Safety},
};

/// What comes out.
pub(super) struct Resolved {
    pub(super) sites: BTreeSet<Site>,
    /// By entry of the call table.
    pub(super) calls: BTreeMap<u32, Caught>,
    /// By rule.
    pub(super) calls_of_rule: Vec<usize>,
    pub(super) notes: Vec<String>,
}

/// A call that can be caught.
pub(super) struct Caught {
    /// The rules that name it, by their place in the list.
    pub(super) rules: Vec<u32>,
    /// Who decides.
    pub(super) backend: BackendKind,
    /// As in the call table.
    pub(super) hooks: [u16; 2],
    /// As in the call table.
    pub(super) mask: u32,
}

/// A call with the rules that name it.
struct Wanted {
    entry: &'static Entry,
    rules: Vec<u32>,
    verdicts: Verdicts,
}

/// Finds a place for every call of every rule; at a function of `live`, where programs are already, by the
/// same backend if that can do it.
pub(super) fn resolve(
    rules: &[Rule],
    insist: bool,
    backends: &[Box<dyn Backend + '_>],
    live: &BTreeSet<Site>,
) -> Result<Resolved, PlanError> {
    let mut wanted: BTreeMap<Call, Wanted> = BTreeMap::new();
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
    let places = place(&wanted, backends, live);
    let calls_of_rule = check(rules, &wanted, &places, &mut notes)?;

    let mut resolved = Resolved { sites: BTreeSet::new(), calls: BTreeMap::new(), calls_of_rule, notes };
    for (call, wanted) in &wanted {
        let (Some(Ok(sites)), Some(entry)) = (places.get(call), entry(call.abi.index(), call.number)) else {
            continue;
        };
        let Some(backend) = sites.sites.first().map(|site| site.backend) else { continue };
        let mut hooks = [0; 2];
        for (slot, site) in hooks.iter_mut().zip(&sites.sites) {
            *slot = site.hook;
        }
        let caught = Caught { rules: wanted.rules.clone(), backend, hooks, mask: sites.mask };
        resolved.calls.insert(entry, caught);
        resolved.sites.extend(sites.sites.iter().cloned());
    }
    Ok(resolved)
}

/// Notes the calls of one rule, refusing or leaving out those that must not fail.
fn collect(
    text: &str,
    rule: &SyscallRule,
    number: u32,
    insist: bool,
    wanted: &mut BTreeMap<Call, Wanted>,
    notes: &mut Vec<String>,
) -> Result<(), PlanError> {
    let mut left_out = BTreeSet::new();
    for &call in &rule.calls {
        let Some(entry) = syscalls::get(call) else { continue };
        let named = rule.named.contains(&call);
        match entry.safety() {
            Safety::Never(why) if named => {
                return Err(PlanError::Never { rule: text.into(), call: entry.name, why });
            }
            Safety::Dangerous(why) if named && !insist => {
                return Err(PlanError::Dangerous { rule: text.into(), call: entry.name, why });
            }
            Safety::Never(_) => {
                left_out.insert(entry.name);
            }
            Safety::Dangerous(_) if !insist => {
                left_out.insert(entry.name);
            }
            Safety::Dangerous(_) | Safety::Free => {
                let verdicts = Verdicts::of(rule.result.return_value());
                let known = wanted.entry(call).or_insert(Wanted { entry, rules: Vec::new(), verdicts });
                known.rules.push(number);
                known.verdicts = known.verdicts.or(verdicts);
            }
        }
    }
    if !left_out.is_empty() {
        let names: Vec<_> = left_out.into_iter().collect();
        notes.push(format!(
            "`{text}` leaves out calls whose failure is not safe (docs/safety.md): {}",
            names.join(", ")
        ));
    }
    Ok(())
}

/// The name of the call at an entry of the call table.
pub(super) fn call_name(wanted: u32) -> String {
    let found = syscalls::all(Machine::HOST)
        .find(|known| entry(known.call.abi.index(), known.call.number) == Some(wanted));
    found.map_or_else(|| format!("call {wanted}"), |known| known.name.into())
}

type Places = BTreeMap<Call, Result<Sites, Vec<Unsupported>>>;

/// Chooses a backend for each call, so that every function has one deciding program.
fn place(
    wanted: &BTreeMap<Call, Wanted>,
    backends: &[Box<dyn Backend + '_>],
    live: &BTreeSet<Site>,
) -> Places {
    let choose = |want: &Wanted, verdicts| {
        at_live_sites(want.entry, verdicts, backends, live)
            .map_or_else(|| choose(want.entry, verdicts, backends), Ok)
    };
    let mut places: Places = wanted.iter().map(|(&call, want)| (call, choose(want, want.verdicts))).collect();
    // Calls can share a function (sync is one for every ABI). If one of them needs the kprobe, all go there.
    let by_kprobe: BTreeSet<String> = places
        .values()
        .flatten()
        .flat_map(|sites| &sites.sites)
        .filter(|site| site.backend == BackendKind::Kprobe)
        .map(|site| site.function.clone())
        .collect();
    for (call, place) in &mut places {
        let shares = |sites: &Sites| {
            sites.sites.iter().any(|s| s.backend == BackendKind::FmodRet && by_kprobe.contains(&s.function))
        };
        if place.as_ref().is_ok_and(shares) {
            let want = &wanted[call];
            *place = choose(want, Verdicts { zero: true, ..want.verdicts });
        }
    }
    places
}

/// Where programs are already that can do it. A hook serves many calls and is no such place by itself.
fn at_live_sites(
    call: &Entry,
    verdicts: Verdicts,
    backends: &[Box<dyn Backend + '_>],
    live: &BTreeSet<Site>,
) -> Option<Sites> {
    let used = |kind| kind != BackendKind::Hook && live.iter().any(|site| site.backend == kind);
    let found = backends.iter().filter(|backend| used(backend.kind()));
    let mut found = found.filter_map(|backend| backend.sites(call, verdicts).ok());
    found.find(|found| found.sites.iter().all(|site| live.contains(site)))
}

/// The first backend that can, or what each of them says.
fn choose(
    call: &Entry,
    verdicts: Verdicts,
    backends: &[Box<dyn Backend + '_>],
) -> Result<Sites, Vec<Unsupported>> {
    let mut causes = Vec::new();
    for backend in backends {
        match backend.sites(call, verdicts) {
            Ok(sites) => return Ok(sites),
            Err(cause) => causes.push(cause),
        }
    }
    Err(causes)
}

/// Counts the calls of each rule. A call that was named must be caught by its native entry or, if the
/// rule means others only, by one of those; what a set brought along may be missing, and is noted.
fn check(
    rules: &[Rule],
    wanted: &BTreeMap<Call, Wanted>,
    places: &Places,
    notes: &mut Vec<String>,
) -> Result<Vec<usize>, PlanError> {
    let mut counts = Vec::new();
    for (rule, number) in rules.iter().zip(0u32..) {
        let RuleKind::Syscall(spec) = &rule.kind else {
            counts.push(0);
            continue;
        };
        let mine = || wanted.iter().filter(|(_, want)| want.rules.contains(&number));
        let caught: BTreeSet<_> =
            mine().filter(|(call, _)| places[call].is_ok()).map(|(_, want)| want.entry.name).collect();
        let mut missing = BTreeMap::new();
        for (call, want) in mine() {
            if let Err(causes) = &places[call]
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
        counts.push(mine().filter(|(call, _)| places[call].is_ok()).count());
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
