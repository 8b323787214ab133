//! What the user ought to know of devices, each once, and of packets that were lost.

use crate::kernel::net::{Event, PacketError};

/// What is noted.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Since they were taken last.
    new: Vec<String>,
    /// All on devices.
    devices: Vec<String>,
}

impl Notes {
    /// Those that nobody has taken yet.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.new)
    }

    /// Adds one.
    pub(super) fn add(&mut self, note: String) {
        self.new.push(note);
    }

    /// Notes packets that were still in the delay line, if there were any.
    pub(super) fn add_lost(&mut self, packets: Option<u32>) {
        if let Some(packets) = packets.filter(|&packets| packets > 0) {
            self.add(format!("{packets} packets were still in the delay line at the end, and are lost"));
        }
    }

    /// As [`Self::add_devices`], where a device that cannot be covered is a reason to refuse: nothing is done by halves.
    pub(super) fn add_covered(&mut self, mut events: Vec<Event>) -> Result<(), PacketError> {
        let failed = |event: &mut Event| matches!(event, Event::Failed(error) if !matches!(error, PacketError::Shared(_)));
        if let Some(Event::Failed(error)) = events.extract_if(.., failed).next() {
            return Err(error);
        }
        self.add_devices(events);
        Ok(())
    }

    /// Notes what cannot be covered, once; all else goes on.
    pub(super) fn add_devices(&mut self, events: Vec<Event>) {
        for event in events {
            let note = match event {
                Event::Failed(PacketError::Shared(shared)) => {
                    format!(
                        "what comes in there is met at its socket only, where it can be lost and cannot wait: {shared}"
                    )
                }
                Event::Failed(error) => {
                    format!("packets of one device, or of all in its namespace, pass: {error}")
                }
                Event::Restored { device, side } => format!(
                    "somebody took the filter from the {side} of device {}; it is back, and packets passed meanwhile",
                    device.name
                ),
                other => {
                    tracing::debug!(?other, "device");
                    continue;
                }
            };
            if !self.devices.contains(&note) {
                tracing::warn!("{note}");
                self.devices.push(note.clone());
                self.add(note);
            }
        }
    }
}
