//! Which backend catches each call, at its entry and when it has run: so that every function has one
//! program that decides at each of its ends.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    plan::{
        backend::{Backend, BackendKind, Site, Sites, Verdicts, Wait},
        unsupported::{Mechanism, Unsupported},
        wanted::AllWanted,
    },
    syscalls::{Call, Entry},
};

/// Where a call is caught, or what each backend says.
type Sited = Result<Sites, Vec<Unsupported>>;

/// Where all calls are caught.
pub(super) struct Placement {
    before: BTreeMap<Call, Sited>,
    behind: BTreeMap<Call, Sited>,
}

impl Placement {
    /// Where `call` is caught at its entry or (`behind`) when it has run; `None` if no rule asks for that.
    pub(super) fn of(&self, call: Call, behind: bool) -> Option<&Sited> {
        if behind { self.behind.get(&call) } else { self.before.get(&call) }
    }
}

/// Chooses a backend for each end of each call; the one whose program is there already, of those in `live`,
/// if it can do it.
pub(super) fn place(wanted: &AllWanted, backends: &[&dyn Backend], live: &BTreeSet<Site>) -> Placement {
    let choose = |call, verdicts: Verdicts, behind| {
        let of_that_end = backends.iter().copied().filter(|one| one.kind().is_behind() == behind);
        // A backend behind a call makes nobody wait, and no rule asks it to.
        let backends: Vec<_> =
            of_that_end.filter(|one| one.delays() == (verdicts.wait != Wait::Never)).collect();
        at_live_sites(call, verdicts, &backends, live).map_or_else(|| choose(call, verdicts, &backends), Ok)
    };
    let mut before = BTreeMap::new();
    let mut behind = BTreeMap::new();
    for (&call, want) in wanted {
        if let Some(verdicts) = want.before {
            before.insert(call, choose(want.entry, verdicts, false));
        }
        if let Some(verdicts) = want.behind {
            behind.insert(call, choose(want.entry, verdicts, true));
        }
    }
    // Calls can share a function (sync is one for every ABI). If one of them needs the kprobe, all go there.
    let by_kprobe: BTreeSet<String> = before
        .values()
        .flatten()
        .flat_map(|sites| &sites.sites)
        .filter(|site| site.backend == BackendKind::Kprobe)
        .map(|site| site.function.clone())
        .collect();
    for (call, place) in &mut before {
        let shares = |sites: &Sites| {
            sites.sites.iter().any(|s| s.backend == BackendKind::FmodRet && by_kprobe.contains(&s.function))
        };
        if place.as_ref().is_ok_and(shares) {
            let want = &wanted[call];
            let verdicts = Verdicts { zero: true, ..want.before.unwrap_or_default() };
            *place = choose(want.entry, verdicts, false);
        }
        // A kprobe that keeps a function from running does not keep a trampoline there from calling it.
        let sleeps =
            |site: &Site| site.backend == BackendKind::CallDelay && by_kprobe.contains(&site.function);
        if place.as_ref().is_ok_and(|sites| sites.sites.iter().any(sleeps)) {
            *place = Err(vec![Unsupported::missing(
                Mechanism::CallDelay,
                "another rule needs a kprobe at the same function of the kernel, for this call's other ABI",
                "leave retval=0 out, or the delay, or start a second injector for one of them",
            )]);
        }
    }
    Placement { before, behind }
}

/// Where programs are already that can do it. A hook serves many calls and is no such place by itself.
fn at_live_sites(
    call: &Entry,
    verdicts: Verdicts,
    backends: &[&dyn Backend],
    live: &BTreeSet<Site>,
) -> Option<Sites> {
    let used = |kind| kind != BackendKind::Hook && live.iter().any(|site| site.backend == kind);
    let found = backends.iter().filter(|backend| used(backend.kind()));
    let mut found = found.filter_map(|backend| backend.sites(call, verdicts).ok());
    found.find(|found| found.sites.iter().all(|site| live.contains(site)))
}

/// The first backend that can, or what each of them says.
fn choose(call: &Entry, verdicts: Verdicts, backends: &[&dyn Backend]) -> Sited {
    let mut causes = Vec::new();
    for backend in backends {
        match backend.sites(call, verdicts) {
            Ok(sites) => return Ok(sites),
            Err(cause) => causes.push(cause),
        }
    }
    Err(causes)
}
