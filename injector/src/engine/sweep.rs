//! What a killed injector leaves behind: cgroups of its commands, and filters where the kernel has no tcx.

use serde::Serialize;

use crate::{
    engine::{Blame, EngineError},
    kernel::{live::registry, net},
    printable::Printable,
    target::{self, Hierarchy, Procfs},
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

/// Takes away what a killed injector could not: cgroups of commands that have ended, and, before 6.6,
/// filters of plans that no longer live. What cannot be looked at is left for the next time.
pub fn sweep() -> Swept {
    let procfs = Procfs::default();
    let mut swept = Swept::default();
    if let Ok(hierarchy) = Hierarchy::discover(&procfs) {
        match target::sweep(&hierarchy) {
            Ok(removed) => {
                swept
                    .removed
                    .extend(removed.iter().map(|path| format!("the cgroup {}", Printable(path.display()))));
            }
            Err(error) => swept.failed.push(format!("cannot look for abandoned cgroups: {error}")),
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
