//! What is said of devices that cannot be covered.

use crate::kernel::net::{Coverage, Event as DeviceEvent, PacketError};

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
