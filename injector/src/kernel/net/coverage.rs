//! Classifiers on every device, loopback included, of every network namespace in which a target lives:
//! those of now and those of later. Those for what comes in only where the namespace is the target's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use crate::{
    kernel::net::{
        attach::{Attachment, Classifier},
        delay_line::{Laid, Lines},
        device::{Change, Device, Devices},
        error::{PacketError, Shared},
        namespace::{NetNs, namespaces_of},
        shared::shared,
        side::{Mechanism, Side},
    },
    plan::{DelayLine, delay_line::is_device},
    target::Procfs,
};

/// How long the end waits for packets that are still to come out.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks whether they have left.
const LOOK: Duration = Duration::from_millis(10);

/// The devices that classifiers are on. Dropping it takes them off all of them.
#[derive(Debug)]
pub struct Coverage {
    classifiers: BTreeMap<Side, Classifier>,
    lines: Option<Lines>,
    procfs: Procfs,
    places: BTreeMap<u64, Place>,
}

/// One network namespace.
#[derive(Debug)]
struct Place {
    namespace: Arc<NetNs>,
    devices: Devices,
    attached: BTreeMap<(u32, Side), Attachment>,
    delay_line: Option<Laid>,
    /// Is it the target's own, as far as that was asked?
    own: bool,
}

/// What changed.
#[derive(Debug)]
pub enum Event {
    /// A classifier is on a device.
    Attached {
        /// Inode number of the network namespace.
        namespace: u64,
        /// The device.
        device: Device,
        /// Which packets it sees.
        side: Side,
    },
    /// None is on the device of that number any more, because that has gone.
    Left {
        /// Inode number of the network namespace.
        namespace: u64,
        /// The device's number.
        device: u32,
    },
    /// Somebody took the classifier off a device, and it is back.
    Restored {
        /// The device.
        device: Device,
        /// Which packets it sees.
        side: Side,
    },
    /// No process of the target is in that network namespace any more, and no packet waits there.
    Deserted {
        /// Its inode number.
        namespace: u64,
    },
    /// One could not be put on a device, or not go into a namespace.
    Failed(PacketError),
}

impl Coverage {
    /// Covers nothing yet.
    pub fn new(classifiers: Vec<Classifier>, lines: Option<Lines>, procfs: Procfs) -> Self {
        let classifiers = classifiers.into_iter().map(|classifier| (classifier.side, classifier)).collect();
        Self { classifiers, lines, procfs, places: BTreeMap::new() }
    }

    /// Covers the network namespaces of these processes and no others; where none of them lives, our own, since
    /// whoever comes will most likely come from here (the command of `run` does), and its first packet is not to be
    /// missed. `again` lists them once more. To be called in a tokio runtime, and
    /// again and again: nothing tells when a process changes its namespace, and one that is
    /// covered lives on without processes until this lets go of it.
    ///
    /// # Errors
    /// [`PacketError`]: the network namespace of a process cannot be opened, or the processes of the machine
    /// cannot be listed. What fails in one namespace or at one device is an [`Event`].
    pub fn follow(
        &mut self,
        pids: impl IntoIterator<Item = u32>,
        again: impl FnOnce() -> Vec<u32>,
    ) -> Result<Vec<Event>, PacketError> {
        let mut present = namespaces_of(pids, &self.procfs)?;
        let guessed = present.is_empty();
        if guessed {
            present = namespaces_of([std::process::id()], &self.procfs)?;
        }
        let mut events = Vec::new();
        let gone = |inode: &u64, place: &mut Place| !present.contains_key(inode) && place.is_idle();
        let deserted = self.places.extract_if(.., gone);
        events.extend(deserted.map(|(namespace, _)| Event::Deserted { namespace }));
        present.retain(|inode, _| !self.places.contains_key(inode));
        let mut shared = self.shared(&present.keys().copied().collect(), again)?;
        for (inode, namespace) in present {
            let own = !shared.contains_key(&inode);
            // Of our own nobody has said that anything happens there.
            events.extend(
                shared.remove(&inode).filter(|_| !guessed).map(PacketError::Shared).map(Event::Failed),
            );
            let devices = match Devices::watch(&namespace, self.uses_filters()) {
                Ok(devices) => devices,
                Err(error) => {
                    events.push(Event::Failed(error));
                    continue;
                }
            };
            let namespace = Arc::new(namespace);
            let mut place = Place { namespace, devices, attached: BTreeMap::new(), delay_line: None, own };
            if let Err(error) = place.lay(self.lines.as_ref()) {
                events.push(Event::Failed(error));
            }
            events.extend(self.classifiers.values().flat_map(|classifier| place.cover(classifier)));
            self.places.insert(inode, place);
        }
        Ok(events)
    }

    /// Is there a classifier that somebody else could take away?
    fn uses_filters(&self) -> bool {
        self.classifiers.values().any(|classifier| classifier.mechanism == Mechanism::Clsact)
    }

    /// Is there a classifier at that side?
    pub fn has(&self, side: Side) -> bool {
        self.classifiers.contains_key(&side)
    }

    /// Puts one more classifier on all devices. `pids` lists the processes.
    ///
    /// # Errors
    /// [`PacketError`]: the processes of the machine cannot be listed, or a delay line cannot be laid. What
    /// fails at one device is an [`Event`].
    pub fn extend(
        &mut self,
        classifier: Classifier,
        pids: impl FnOnce() -> Vec<u32>,
    ) -> Result<Vec<Event>, PacketError> {
        let side = classifier.side;
        self.classifiers.insert(side, classifier);
        let mut shared = self.shared(&self.places.keys().copied().collect(), pids)?;
        let mut events = Vec::new();
        for (inode, place) in &mut self.places {
            place.own = !shared.contains_key(inode);
            events.extend(shared.remove(inode).map(PacketError::Shared).map(Event::Failed));
            place.lay(self.lines.as_ref())?;
            events.extend(self.classifiers.get(&side).into_iter().flat_map(|one| place.cover(one)));
        }
        Ok(events)
    }

    /// Takes the classifier of one side off all devices; the first failure is told, after all was tried.
    ///
    /// # Errors
    /// The first [`PacketError`] of taking a program off a device.
    pub fn withdraw(&mut self, side: Side) -> Result<(), PacketError> {
        self.classifiers.remove(&side);
        let mut result = Ok(());
        for place in self.places.values_mut() {
            for (_, attachment) in place.attached.extract_if(.., |&(_, at), _| at == side) {
                result = result.and(attachment.remove());
            }
        }
        result
    }

    /// Those of these namespaces that are not the target's own, where that matters.
    fn shared(
        &self,
        namespaces: &BTreeSet<u64>,
        pids: impl FnOnce() -> Vec<u32>,
    ) -> Result<BTreeMap<u64, Shared>, PacketError> {
        if namespaces.is_empty() || !self.has(Side::Ingress) {
            return Ok(BTreeMap::new());
        }
        shared(namespaces, &self.procfs, pids)
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
                                Change::Unfiltered(index) => {
                                    events.extend(place.restore(&self.classifiers, index));
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
                for classifier in self.classifiers.values() {
                    events.extend(place.attach(classifier, device.clone()));
                }
            }
        }
        if events.is_empty() { Poll::Pending } else { Poll::Ready(events) }
    }

    /// Has packets that need it make their detour, by `new` lines if there are none yet.
    ///
    /// # Errors
    /// What `new` fails with, or [`PacketError`] if a line cannot be laid.
    pub fn carry<E>(&mut self, needs: DelayLine, new: impl FnOnce() -> Result<Lines, E>) -> Result<(), E>
    where
        E: From<PacketError>,
    {
        match &mut self.lines {
            Some(lines) => lines.extend(needs),
            None => self.lines = Some(new()?),
        }
        let Some(lines) = &self.lines else { return Ok(()) };
        for place in self.places.values_mut() {
            match &mut place.delay_line {
                Some(line) => line.extend(needs)?,
                None => place.lay(Some(lines))?,
            }
        }
        Ok(())
    }

    /// Takes the classifiers off all devices; the first failure is told, after all was tried. Then waits until
    /// every packet that is still in a delay line has left it, and says how many had not when it was too late.
    ///
    /// # Errors
    /// The first [`PacketError`] of taking a program off a device.
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
            let left = self.waiting();
            if left == 0 || Instant::now() >= end {
                return left;
            }
            thread::sleep(LOOK);
        }
    }

    /// How many packets wait in all delay lines.
    fn waiting(&mut self) -> u32 {
        let lines = self.places.values_mut().filter_map(|place| place.delay_line.as_mut());
        lines.filter_map(|line| line.waiting().ok()).sum()
    }
}

impl Place {
    /// Lays a line if it is needed and not there yet.
    fn lay(&mut self, lines: Option<&Lines>) -> Result<(), PacketError> {
        if let Some(lines) = lines.filter(|lines| self.delay_line.is_none() && lines.serve(self.own)) {
            self.delay_line = Some(lines.lay(&self.namespace)?);
        }
        Ok(())
    }

    /// Has every packet left its line? Taken away before, they would be lost, and count as waiting for ever.
    fn is_idle(&mut self) -> bool {
        self.delay_line.as_mut().is_none_or(|line| !line.waiting().is_ok_and(|packets| packets > 0))
    }

    /// Puts a classifier on all devices.
    fn cover(&mut self, classifier: &Classifier) -> Vec<Event> {
        let devices: Vec<_> = self.devices.present().collect();
        devices.into_iter().filter_map(|device| self.attach(classifier, device)).collect()
    }

    fn attach(&mut self, classifier: &Classifier, device: Device) -> Option<Event> {
        let (namespace, side) = (self.namespace.inode(), classifier.side);
        // What passes a line itself, ours or another injector's, has been asked about, and carries what is not to be
        // lost.
        if is_device(device.index) || (side == Side::Ingress && !self.own) {
            return None;
        }
        match classifier.attach(&self.namespace, &device) {
            Ok(Some(attachment)) => {
                self.attached.insert((device.index, side), attachment);
                Some(Event::Attached { namespace, device, side })
            }
            // It is gone already; its removal is about to be heard of.
            Ok(None) => None,
            Err(error) => Some(Event::Failed(error)),
        }
    }

    /// Puts those classifiers back on a device that somebody has taken off it.
    fn restore(&mut self, classifiers: &BTreeMap<Side, Classifier>, index: u32) -> Vec<Event> {
        let lost = |&(at, _): &(u32, Side), attachment: &mut Attachment| at == index && attachment.is_lost();
        let lost: Vec<_> = self.attached.extract_if(.., lost).map(|((_, side), _)| side).collect();
        let Some(device) = self.devices.present().find(|device| device.index == index) else {
            return Vec::new();
        };
        let back = lost.iter().filter_map(|side| self.attach(classifiers.get(side)?, device.clone()));
        back.map(|event| match event {
            Event::Attached { device, side, .. } => Event::Restored { device, side },
            other => other,
        })
        .collect()
    }

    fn detach(&mut self, index: u32) -> Option<Event> {
        let namespace = self.namespace.inode();
        let gone = self.attached.extract_if(.., |&(at, _), _| at == index).count();
        (gone > 0).then_some(Event::Left { namespace, device: index })
    }
}
