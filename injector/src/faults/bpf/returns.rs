//! A target cgroup that was removed and is back under its name.

use std::os::fd::AsFd as _;

use crate::{
    faults::{
        bpf::{BpfFaults, cgroup_tree::add_tree},
        error::FaultError,
    },
    kernel::installation::cgroups::Whose,
    plan::Plan,
    target::{Cgroup, Target},
};

impl BpfFaults {
    /// Meets `cgroup` as target `number` of `targets`, where the one that is gone still stands.
    ///
    /// # Errors
    /// What the kernel refused.
    pub(crate) fn meet_again(
        &mut self,
        plan: &Plan,
        targets: &[Target],
        number: usize,
        cgroup: &Cgroup,
    ) -> Result<(), FaultError> {
        add_tree(&self.installation, cgroup, u32::try_from(number).unwrap_or_default())?;
        let above = |(other, target): (usize, &Target)| {
            let live = target.as_cgroup().filter(|above| other != number && !above.is_gone());
            live.is_some_and(|above| cgroup.path().starts_with(above.path()))
        };
        // The program of a cgroup runs for all below it.
        if !targets.iter().enumerate().any(above) {
            if plan.needs_ingress() {
                self.installation.attach_ingress(Whose::Cgroup, cgroup.as_fd())?;
            }
            if plan.needs_connect() {
                self.installation.attach_connect(Whose::Cgroup, cgroup.as_fd())?;
            }
        }
        Ok(())
    }
}
