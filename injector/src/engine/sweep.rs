//! What a killed injector leaves behind: cgroups of its commands, filters where the kernel has no tcx, and, if its warden
//! was killed as well, who was paused.

use std::{
    cell::LazyCell,
    collections::BTreeSet,
    io, iter,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    engine::{Blame, EngineError},
    faults,
    kernel::{live::registry, net},
    printable::Printable,
    target::{self, Hierarchy, Procfs, cgroup},
};

/// What a look for leftovers came to.
#[derive(Debug, Default, Serialize)]
pub struct Swept {
    /// What was taken away.
    pub removed: Vec<String>,
    /// What could not be looked at, or not be taken away.
    pub failed: Vec<String>,
    /// Was it for want of a right that something could not be?
    #[serde(skip)]
    pub forbidden: bool,
}

impl Swept {
    fn fail(&mut self, error: &EngineError, what: &str) {
        self.forbidden |= error.blame() == Blame::Permission;
        self.failed.push(format!("{what}{error}; {}", error.hint()));
    }
}

/// Has those go on who were paused by plans that no longer live.
fn sweep_pauses<'a>(cgroups: impl IntoIterator<Item = &'a Path>, swept: &mut Swept) {
    // Looked for only where there is a mark: most often nobody is paused.
    let living = LazyCell::new(|| {
        let plans = registry::live_plans()?;
        Ok(plans.iter().filter_map(|live| u32::try_from(live.header.plan).ok()).collect::<BTreeSet<_>>())
    });
    let lives =
        |plan: u32| living.as_ref().map_or_else(|_: &io::Error| true, |living| living.contains(&plan));
    let (undone, failed) = faults::sweep(cgroups, lives);
    swept.removed.extend(undone.iter().map(|path| format!("the pause of {}", Printable(path.display()))));
    swept.failed.extend(failed);
}

/// Takes away what is left at cgroups: at the root, and at all `below` it.
fn sweep_cgroups(root: &Path, below: &[PathBuf], swept: &mut Swept) {
    sweep_pauses(iter::once(root).chain(below.iter().map(PathBuf::as_path)), swept);
    match target::sweep(below) {
        Ok(removed) => {
            let removed = removed.iter().map(|path| format!("the cgroup {}", Printable(path.display())));
            swept.removed.extend(removed);
        }
        Err(error) => swept.failed.push(error.to_string()),
    }
}

/// Takes away what a killed injector could not: cgroups of commands that have ended, and, before 6.6,
/// filters of plans that no longer live. What cannot be looked at is left for the next time.
pub fn sweep() -> Swept {
    let procfs = Procfs::default();
    let mut swept = Swept::default();
    if let Ok(hierarchy) = Hierarchy::discover(&procfs) {
        match cgroup::all(&hierarchy) {
            Ok(below) => sweep_cgroups(hierarchy.mount_point(), &below, &mut swept),
            Err(error) => swept.failed.push(format!("cannot look for abandoned cgroups and pauses: {error}")),
        }
    }
    let living = || Ok(registry::live_plans()?.iter().map(|live| live.header.plan).collect());
    match net::sweep(&procfs, living) {
        Ok(filters) => {
            swept.removed.extend(filters.removed.iter().map(|filter| format!("the filter {filter}")));
            for error in filters.failed {
                swept.fail(&EngineError::from(error), "");
            }
        }
        Err(error) => swept.fail(&EngineError::from(error), "cannot look for abandoned filters: "),
    }
    swept.removed.iter().for_each(|removed| tracing::info!(removed, "left by an injector that has ended"));
    swept.failed.iter().for_each(|failed| tracing::warn!(failed, "left for the next time"));
    swept
}
