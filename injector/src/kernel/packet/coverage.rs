//! A classifier on every device, loopback included, of every network namespace in which a target lives:
//! those of now and those of later.

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use super::{
    device::{Change, Device, Devices},
    egress::{Attachment, Classifier},
    error::PacketError,
    fq::Fill,
    line::{Laid, Lines},
    namespace::{NetNs, namespaces_of},
};
use crate::{plan::Line, target::Procfs};

/// How long the end waits for packets that are still to come out.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks whether they have left.
const LOOK: Duration = Duration::from_millis(10);

/// The devices that a classifier is on. Dropping it takes the classifier off all of them.
#[derive(Debug)]
pub struct Coverage {
    classifier: Classifier,
    lines: Option<Lines>,
    procfs: Procfs,
    places: BTreeMap<u64, Place>,
}

/// One network namespace.
#[derive(Debug)]
struct Place {
    namespace: Arc<NetNs>,
    devices: Devices,
    attached: BTreeMap<u32, Attachment>,
    line: Option<Laid>,
}

/// What changed.
#[derive(Debug)]
pub enum Event {
    /// The classifier is on a device.
    Attached {
        /// Inode number of the network namespace.
        namespace: u64,
        /// The device.
        device: Device,
    },
    /// It is no longer on the device of that number, because that has gone.
    Left {
        /// Inode number of the network namespace.
        namespace: u64,
        /// The device's number.
        device: u32,
    },
    /// No process of the target is in that network namespace any more.
    Deserted {
        /// Its inode number.
        namespace: u64,
    },
    /// It could not be put on a device.
    Failed(PacketError),
}

impl Coverage {
    /// Covers nothing yet.
    pub fn new(classifier: Classifier, lines: Option<Lines>, procfs: Procfs) -> Self {
        Self { classifier, lines, procfs, places: BTreeMap::new() }
    }

    /// Covers the network namespaces of these processes and no others; where none of them lives, our own, since
    /// whoever comes will most likely come from here (the command of `run` does), and its first packet is not to be
    /// missed. To be called in a tokio runtime, and
    /// again and again: nothing tells when a process changes its namespace, and one that is
    /// covered lives on without processes until this lets go of it.
    pub fn follow(&mut self, pids: impl IntoIterator<Item = u32>) -> Result<Vec<Event>, PacketError> {
        let mut present = namespaces_of(pids, &self.procfs)?;
        if present.is_empty() {
            present = namespaces_of([std::process::id()], &self.procfs)?;
        }
        let mut events = Vec::new();
        let deserted = self.places.extract_if(.., |inode, _| !present.contains_key(inode));
        events.extend(deserted.map(|(namespace, _)| Event::Deserted { namespace }));
        present.retain(|inode, _| !self.places.contains_key(inode));
        for (inode, namespace) in present {
            let devices = match Devices::watch(&namespace) {
                Ok(devices) => devices,
                Err(error) => {
                    events.push(Event::Failed(error));
                    continue;
                }
            };
            let namespace = Arc::new(namespace);
            let line = match self.lines.as_ref().map(|lines| lines.lay(&namespace)).transpose() {
                Ok(line) => line,
                Err(error) => {
                    events.push(Event::Failed(error));
                    None
                }
            };
            let mut place = Place { namespace, devices, attached: BTreeMap::new(), line };
            for device in place.devices.present().collect::<Vec<_>>() {
                events.extend(place.attach(&self.classifier, device));
            }
            self.places.insert(inode, place);
        }
        Ok(events)
    }

    /// Waits until devices come or go, and acts on it. Nothing is lost if the future is dropped.
    /// Never ends where nothing is covered.
    pub async fn changes(&mut self) -> Vec<Event> {
        std::future::poll_fn(|context| self.poll_changes(context)).await
    }

    fn poll_changes(&mut self, context: &mut Context<'_>) -> Poll<Vec<Event>> {
        let mut events = Vec::new();
        let mut added = Vec::new();
        for (&inode, place) in &mut self.places {
            while let Poll::Ready(changes) = place.devices.poll_changes(context) {
                match changes {
                    Ok(changes) => {
                        for change in changes {
                            match change {
                                Change::Added(device) => added.push((inode, device)),
                                Change::Removed(index) => {
                                    added.retain(|(namespace, device)| {
                                        (*namespace, device.index) != (inode, index)
                                    });
                                    events.extend(place.detach(index));
                                }
                            }
                        }
                    }
                    Err(error) => {
                        events.push(Event::Failed(error));
                        break;
                    }
                }
            }
        }
        // Last, because a device that moved from one covered namespace to another brings its program along.
        for (inode, device) in added {
            if let Some(place) = self.places.get_mut(&inode) {
                events.extend(place.attach(&self.classifier, device));
            }
        }
        if events.is_empty() { Poll::Pending } else { Poll::Ready(events) }
    }

    /// The devices that it is on, with the inode number of their namespace.
    pub fn devices(&self) -> impl Iterator<Item = (u64, Device)> {
        self.places.iter().flat_map(|(&inode, place)| {
            let covered = place.devices.present().filter(|device| place.attached.contains_key(&device.index));
            covered.map(move |device| (inode, device))
        })
    }

    /// Has packets that need it make their detour, by `new` lines if there are none yet.
    pub fn carry<E>(&mut self, needs: Line, new: impl FnOnce() -> Result<Lines, E>) -> Result<(), E>
    where
        E: From<PacketError>,
    {
        match &mut self.lines {
            Some(lines) => lines.extend(needs),
            None => self.lines = Some(new()?),
        }
        let Some(lines) = &self.lines else { return Ok(()) };
        for place in self.places.values_mut() {
            match &mut place.line {
                Some(line) => line.extend(needs)?,
                None => place.line = Some(lines.lay(&place.namespace)?),
            }
        }
        Ok(())
    }

    /// Takes the classifier off all devices; the first failure is told, after all was tried. Then waits until
    /// every packet that is still in a delay line has left it, and says how many had not when it was too late.
    pub fn remove(mut self) -> Result<u32, PacketError> {
        let mut result = Ok(());
        for place in self.places.values_mut() {
            for (_, attachment) in std::mem::take(&mut place.attached) {
                result = result.and(attachment.remove());
            }
        }
        let left = self.drain();
        result.map(|()| left)
    }

    /// Waits for the packets in all lines.
    fn drain(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        loop {
            let left: u32 = self.fills().map(|fill| fill.packets).sum();
            if left == 0 || Instant::now() >= end {
                return left;
            }
            thread::sleep(LOOK);
        }
    }

    /// How full each delay line is.
    pub fn fills(&mut self) -> impl Iterator<Item = Fill> {
        let lines = self.places.values_mut().filter_map(|place| place.line.as_mut());
        lines.filter_map(|line| line.fill().ok())
    }
}

impl Place {
    fn attach(&mut self, classifier: &Classifier, device: Device) -> Option<Event> {
        let namespace = self.namespace.inode();
        // What leaves by the line itself has been asked about.
        if self.line.as_ref().is_some_and(|line| line.near() == device.index) {
            return None;
        }
        match classifier.attach(&self.namespace, &device) {
            Ok(Some(attachment)) => {
                self.attached.insert(device.index, attachment);
                Some(Event::Attached { namespace, device })
            }
            // It is gone already; its removal is about to be heard of.
            Ok(None) => None,
            Err(error) => Some(Event::Failed(error)),
        }
    }

    fn detach(&mut self, index: u32) -> Option<Event> {
        let namespace = self.namespace.inode();
        self.attached.remove(&index).map(|_| Event::Left { namespace, device: index })
    }
}
