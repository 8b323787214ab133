//! The devices of a live plan's targets: covered at the beginning, and looked for as they come and go.

use crate::{
    engine::{devices::note_covered, error::EngineError, live::Live},
    kernel::net::Event as DeviceEvent,
    target,
};

impl Live {
    /// Covers the devices of the targets before a rule on packets acts.
    ///
    /// # Errors
    /// There is one that cannot be covered.
    pub(super) fn cover_devices(&mut self) -> Result<(), EngineError> {
        let events = self.look_at_devices()?;
        Ok(note_covered(&mut self.notes, events)?)
    }

    /// Looks for network namespaces and devices that have come or gone.
    pub(super) fn look_at_devices(&mut self) -> Result<Vec<DeviceEvent>, EngineError> {
        let Some(coverage) = &mut self.coverage else { return Ok(Vec::new()) };
        let mut pids = Vec::new();
        for target in &self.targets {
            match target.pids() {
                Ok(more) => pids.extend(more),
                // Taken for empty, its namespaces would be given up; the next look may know better.
                Err(error) if !target.is_gone() => {
                    tracing::warn!(%error, "cannot list a target's processes");
                    return Ok(Vec::new());
                }
                Err(_) => {}
            }
        }
        Ok(coverage.follow(pids, || target::processes(&self.targets))?)
    }
}
