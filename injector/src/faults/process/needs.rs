//! Whether rules on processes can be had: what the kernel has, and who lives in the targets.

use nix::{
    errno::Errno,
    fcntl::AtFlags,
    unistd::{AccessFlags, faccessat},
};

use crate::{
    faults::{
        error::FaultError,
        fault::Scene,
        process::victims::{Inside, Spared},
    },
    plan::{
        Plan,
        unsupported::{Mechanism, Unsupported},
    },
    target::{Cgroup, Target},
};

/// See [`crate::faults::fault::Fault::needs`].
pub(super) fn check(plan: &Plan, scene: Scene<'_>) -> Result<Vec<String>, FaultError> {
    let spared = Spared::of(&plan.options);
    let mut notes = Vec::new();
    for rule in plan.rules.iter().filter(|rule| rule.pauses()) {
        for target in scene.targets {
            match target {
                Target::Cgroup(cgroup) => can_pause(&rule.text, target, cgroup, &spared)?,
                Target::Process(_) => notes.push(format!(
                    "the rule `{}` stops the {} by SIGSTOP, and its parent is told; only a pause of a cgroup goes unnoticed",
                    rule.text,
                    target.describe()
                )),
            }
        }
    }
    Ok(notes)
}

fn can_pause(rule: &str, target: &Target, cgroup: &Cgroup, spared: &Spared) -> Result<(), FaultError> {
    let (rule, target) = (rule.to_owned(), target.describe());
    if cgroup.is_gone() {
        return Ok(());
    }
    if cgroup.is_root() {
        return Err(FaultError::Root { rule });
    }
    match faccessat(cgroup, c"cgroup.freeze", AccessFlags::W_OK, AtFlags::AT_EACCESS) {
        Err(Errno::ENOENT) => {
            let why = "cgroups have no file cgroup.freeze";
            let cause = Unsupported::missing(Mechanism::Freezer, why, "use Linux 5.2 or later");
            return Err(FaultError::Missing { rule, cause });
        }
        Err(error) => {
            let what = format!("pause the {target}");
            return Err(FaultError::System { what, source: error.into() });
        }
        Ok(()) => {}
    }
    match spared.inside(cgroup) {
        Some(Inside::Init) => Err(FaultError::Init { rule, target }),
        Some(Inside::Injector) => Err(FaultError::Itself { rule, target }),
        None => Ok(()),
    }
}
