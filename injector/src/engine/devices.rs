//! The devices of the targets, and what is said of those that cannot be covered.

use crate::{
    engine::{error::EngineError, guard::listed, live::Live},
    kernel::net::{Coverage, Event as DeviceEvent, PacketError},
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
        Ok(coverage.follow(pids, || listed(&self.targets))?)
    }
}

/// What happens to devices; nothing where none is covered.
pub(super) async fn device_changes(coverage: Option<&mut Coverage>) -> Vec<DeviceEvent> {
    match coverage {
        Some(coverage) => coverage.changes().await,
        None => std::future::pending().await,
    }
}

/// As [`note_devices`], where a device that cannot be covered is a reason to refuse: nothing is done by halves.
pub(super) fn note_covered(notes: &mut Vec<String>, mut events: Vec<DeviceEvent>) -> Result<(), PacketError> {
    let failed = |event: &mut DeviceEvent| matches!(event, DeviceEvent::Failed(error) if !matches!(error, PacketError::Shared(_)));
    if let Some(DeviceEvent::Failed(error)) = events.extract_if(.., failed).next() {
        return Err(error);
    }
    note_devices(notes, events);
    Ok(())
}

/// Notes what cannot be covered, once; all else goes on.
pub(super) fn note_devices(notes: &mut Vec<String>, events: Vec<DeviceEvent>) {
    for event in events {
        let note = match event {
            DeviceEvent::Failed(PacketError::Shared(shared)) => {
                format!(
                    "what comes in there is met at its socket only, where it can be lost and cannot wait: {shared}"
                )
            }
            DeviceEvent::Failed(error) => {
                format!("packets of one device, or of all in its namespace, pass: {error}")
            }
            DeviceEvent::Restored { device, side } => format!(
                "somebody took the filter from the {side} of device {}; it is back, and packets passed meanwhile",
                device.name
            ),
            other => {
                tracing::debug!(?other, "device");
                continue;
            }
        };
        if !notes.contains(&note) {
            tracing::warn!("{note}");
            notes.push(note);
        }
    }
}
