//! Which backend catches each call, at its entry and when it has run: so that every function has one
//! program that decides at each of its ends.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::AllWanted;
use crate::{
    kernel::{
        Unsupported,
        syscall::{Backend, BackendKind, Sites, Verdicts},
    },
    syscalls::{Call, Entry},
};

/// Where a call is caught, or what each backend says.
type Place = Result<Sites, Vec<Unsupported>>;

/// The places of all calls.
pub(super) struct Places {
    before: BTreeMap<Call, Place>,
    behind: BTreeMap<Call, Place>,
}

impl Places {
    /// Where `call` is caught at its entry or (`behind`) when it has run; `None` if no rule asks for that.
    pub(super) fn of(&self, call: Call, behind: bool) -> Option<&Place> {
        if behind { self.behind.get(&call) } else { self.before.get(&call) }
    }
}

/// Chooses a backend for each end of each call.
pub(super) fn place(wanted: &AllWanted, backends: &[Box<dyn Backend + '_>]) -> Places {
    let mut before = BTreeMap::new();
    let mut behind = BTreeMap::new();
    for (&call, want) in wanted {
        if let Some(verdicts) = want.before {
            before.insert(call, choose(want.entry, verdicts, false, backends));
        }
        if let Some(verdicts) = want.behind {
            behind.insert(call, choose(want.entry, verdicts, true, backends));
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
            *place = choose(want.entry, verdicts, false, backends);
        }
    }
    Places { before, behind }
}

/// The first backend of that end that can, or what each of them says.
fn choose(call: &Entry, verdicts: Verdicts, behind: bool, backends: &[Box<dyn Backend + '_>]) -> Place {
    let mut causes = Vec::new();
    for backend in backends.iter().filter(|backend| backend.kind().is_behind() == behind) {
        match backend.sites(call, verdicts) {
            Ok(sites) => return Ok(sites),
            Err(cause) => causes.push(cause),
        }
    }
    Err(causes)
}
