//! A loaded classifier at a side of a device, mostly its egress: by tcx where the kernel has it, else by clsact.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use crate::kernel::net::{
    clsact::{self, Refusal, filter_name},
    device::Device,
    error::PacketError,
    namespace::{NetNs, in_a_fresh_one},
    rtnetlink::Rtnetlink,
    side::{Mechanism, Side},
    tcx,
};

/// A program and how it is attached.
#[derive(Debug)]
pub struct Classifier {
    /// A loaded program of type `SCHED_CLS`.
    pub program: OwnedFd,
    /// At which side.
    pub side: Side,
    /// How it is attached.
    pub mechanism: Mechanism,
    /// The plan it belongs to, for the names of filters.
    pub plan: u64,
}

/// A program at a side of a device. Dropping it takes it away.
#[derive(Debug)]
pub struct Attachment {
    /// None once it is taken away.
    place: Option<Place>,
}

#[derive(Debug)]
enum Place {
    /// Held only to be closed.
    Link(#[expect(dead_code, reason = "the link lives as long as its descriptor")] OwnedFd),
    Filter {
        namespace: Arc<NetNs>,
        device: Device,
        side: Side,
        plan: u64,
    },
}

/// The number of the loopback device in every network namespace (`LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

impl Mechanism {
    /// Finds out by doing: attaches a program that passes everything to the loopback device of a new
    /// network namespace, which is gone when this returns.
    ///
    /// # Errors
    /// [`PacketError`]: no network namespace can be made, or neither tcx nor clsact works.
    pub fn probe() -> Result<Self, PacketError> {
        if Self::Tcx.works()?.is_ok() {
            return Ok(Self::Tcx);
        }
        match Self::Clsact.works()? {
            Ok(()) => Ok(Self::Clsact),
            Err(source) => Err(PacketError::Unsupported { source }),
        }
    }

    /// Whether this one can be used, and what the kernel says if not. The outer error is that nothing could
    /// be tried.
    ///
    /// # Errors
    /// [`PacketError`]: no network namespace can be made.
    pub fn works(self) -> Result<std::io::Result<()>, PacketError> {
        in_a_fresh_one(|| {
            let program = tcx::passing_program()?;
            match self {
                Self::Tcx => tcx::attach(program.as_fd(), LOOPBACK, Side::Egress).map(drop),
                Self::Clsact => {
                    let mut socket = Rtnetlink::open()?;
                    clsact::attach(&mut socket, LOOPBACK, Side::Egress, program.as_fd(), 0)?;
                    Ok(())
                }
            }
        })
    }
}

impl Classifier {
    /// Puts the program before all others at its side of a device. `None` if the device has gone.
    ///
    /// # Errors
    /// [`PacketError`]: the kernel refuses the program there, or another qdisc is in the way.
    pub fn attach(&self, namespace: &Arc<NetNs>, device: &Device) -> Result<Option<Attachment>, PacketError> {
        let (program, side) = (self.program.as_fd(), self.side);
        let attached = namespace.run(|| match self.mechanism {
            Mechanism::Tcx => Ok(Place::Link(tcx::attach(program, device.index, side)?)),
            Mechanism::Clsact => {
                clsact::attach(&mut Rtnetlink::open()?, device.index, side, program, self.plan)?;
                Ok(Place::Filter {
                    namespace: Arc::clone(namespace),
                    device: device.clone(),
                    side,
                    plan: self.plan,
                })
            }
        })?;
        match attached {
            Ok(place) => Ok(Some(Attachment { place: Some(place) })),
            Err(Refusal::System(error)) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(Refusal::Occupied(kind)) => {
                Err(PacketError::Occupied { device: device.name.clone(), side, kind })
            }
            Err(Refusal::System(source)) => {
                let (device, mechanism) = (device.name.clone(), self.mechanism);
                Err(PacketError::Attach { device, side, mechanism, source })
            }
        }
    }
}

impl Attachment {
    /// Takes the program away and says if that failed.
    ///
    /// # Errors
    /// [`PacketError`]: the filter or the qdisc cannot be taken away.
    pub fn remove(mut self) -> Result<(), PacketError> {
        self.take_away()
    }

    /// Has somebody taken the program away? Then it is not taken away again: the next filter may have its number.
    pub(super) fn is_lost(&mut self) -> bool {
        let Some(Place::Filter { namespace, device, side, plan }) = &self.place else { return false };
        let there =
            namespace.run(|| clsact::is_attached(&mut Rtnetlink::open()?, device.index, *side, *plan));
        let lost = matches!(there, Ok(Ok(false)));
        if lost {
            self.place = None;
        }
        lost
    }

    fn take_away(&mut self) -> Result<(), PacketError> {
        // Closing a link is enough.
        let Some(Place::Filter { namespace, device, side, plan }) = self.place.take() else { return Ok(()) };
        let removed = namespace.run(|| clsact::detach(&mut Rtnetlink::open()?, device.index, side, plan))?;
        let name = filter_name(plan);
        removed.map_err(|source| PacketError::Remove { name, device: device.name, side, source })
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if let Err(error) = self.take_away() {
            tracing::warn!("{error}; {}", error.hint());
        }
    }
}
