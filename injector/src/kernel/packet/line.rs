//! The delay line: a pair of devices for each network namespace of a target, whose far ends are in a namespace of
//! our own that nothing but this process holds. However the process ends, that namespace goes, and with it the far
//! ends, the near ends, the queues and the programs.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    clsact::{self, Refusal},
    egress::Mechanism,
    error::PacketError,
    fq::{self, Fill},
    namespace::NetNs,
    offload,
    rtnetlink::Rtnetlink,
    tcx::{self, Side},
    veth::{self, End},
};
use crate::plan::{Line, line::device};

/// The programs of a line, as the kernel side names them.
#[derive(Debug)]
pub struct LinePrograms {
    /// At far, for what comes in.
    pub decide: OwnedFd,
    /// At far, for what goes out; before its queue.
    pub stamp: OwnedFd,
    /// At near, for what comes back.
    pub back: OwnedFd,
}

/// The lines of a plan, one for each network namespace.
#[derive(Debug)]
pub struct Lines {
    plan: u32,
    needs: Line,
    mechanism: Mechanism,
    programs: LinePrograms,
    /// Where all far ends are.
    own: NetNs,
    /// The number of the next far end there; the first is that of its lo.
    next: AtomicU32,
}

/// The line of one network namespace. Dropping it removes it, with what waits in it.
#[derive(Debug)]
pub struct Laid {
    namespace: Arc<NetNs>,
    near: u32,
    far: u32,
    /// In the namespace of the far ends.
    socket: Rtnetlink,
    queues: bool,
    /// Held only to be closed.
    links: Vec<OwnedFd>,
}

impl Lines {
    /// None is laid yet.
    pub fn new(
        plan: u32,
        needs: Line,
        mechanism: Mechanism,
        programs: LinePrograms,
    ) -> Result<Self, PacketError> {
        Ok(Self { plan, needs, mechanism, programs, own: NetNs::fresh()?, next: AtomicU32::new(2) })
    }

    /// The number that near has in each namespace.
    pub fn near(&self) -> u32 {
        device(self.plan)
    }

    /// Lays one in a namespace.
    pub fn lay(&self, namespace: &Arc<NetNs>) -> Result<Laid, PacketError> {
        let near = self.near();
        let far = self.next.fetch_add(1, Relaxed);
        let failed = |what| move |source| PacketError::Line { what, inode: namespace.inode(), source };
        let name = name(self.plan);
        let ends = (End { name: &name, index: near }, End { name: &format!("far{far}"), index: far });
        let own = self.own.as_fd();
        namespace
            .run(|| veth::make(&mut Rtnetlink::open()?, ends.0, (ends.1, own), self.needs.splits))?
            .map_err(failed("make its devices"))?;
        let socket = self.own.run(Rtnetlink::open)?.map_err(failed("reach its far end"))?;
        // From here on dropping it removes the devices.
        let mut laid = Laid {
            namespace: Arc::clone(namespace),
            near,
            far,
            socket,
            queues: self.needs.queue.is_some(),
            links: Vec::new(),
        };
        if let Some(queue) = self.needs.queue {
            fq::attach(&mut laid.socket, far, queue.packets, queue.longest)
                .map_err(failed("make its queue (fq)"))?;
        }
        if self.needs.checksums {
            namespace.run(|| offload::make_checksums(&name))?.map_err(failed("have its checksums made"))?;
        }
        let links = self.own.run(|| {
            Ok([
                self.put(far, Side::Ingress, &self.programs.decide)?,
                self.put(far, Side::Egress, &self.programs.stamp)?,
            ])
        })?;
        let mut links: Vec<_> =
            links.map_err(failed("attach to its far end"))?.into_iter().flatten().collect();
        let link = namespace.run(|| self.put(near, Side::Ingress, &self.programs.back))?;
        links.extend(link.map_err(failed("attach to its near end"))?);
        laid.links = links;
        veth::raise(&mut laid.socket, far).map_err(failed("bring its far end up"))?;
        namespace
            .run(|| veth::raise(&mut Rtnetlink::open()?, near))?
            .map_err(failed("bring its near end up"))?;
        Ok(laid)
    }

    /// Puts a program on a device of this thread's namespace. Without tcx it goes with the device.
    fn put(&self, device: u32, side: Side, program: &OwnedFd) -> io::Result<Option<OwnedFd>> {
        match self.mechanism {
            Mechanism::Tcx => tcx::attach(program.as_fd(), device, side).map(Some),
            Mechanism::Clsact => {
                match clsact::attach(&mut Rtnetlink::open()?, device, side, program.as_fd(), self.plan.into())
                {
                    Ok(()) => Ok(None),
                    Err(Refusal::System(error)) => Err(error),
                    Err(Refusal::Occupied(_)) => Err(io::ErrorKind::ResourceBusy.into()),
                }
            }
        }
    }
}

/// The name of the near end.
fn name(plan: u32) -> String {
    format!("inj-{plan:08x}")
}

/// Can one be made? Tries its devices and its queue in a network namespace that is gone when this returns. The
/// outer error is that nothing could be tried.
pub fn works() -> Result<io::Result<()>, PacketError> {
    let own = NetNs::fresh()?;
    own.run(|| {
        let mut socket = Rtnetlink::open()?;
        let [near, far] = [("near", 2), ("far", 3)].map(|(name, index)| End { name, index });
        veth::make(&mut socket, near, (far, own.as_fd()), false)?;
        fq::attach(&mut socket, far.index, 1, Duration::from_secs(1))
    })
}

impl Laid {
    /// The number of its near end.
    pub fn near(&self) -> u32 {
        self.near
    }

    /// How full its queue is.
    pub fn fill(&mut self) -> io::Result<Fill> {
        if self.queues { fq::fill(&mut self.socket, self.far) } else { Ok(Fill::default()) }
    }
}

impl Drop for Laid {
    fn drop(&mut self) {
        let near = self.near;
        let removed = self.namespace.run(|| veth::remove(&mut Rtnetlink::open()?, near));
        if let Err(error) = removed.map_err(io::Error::other).and_then(|removed| removed) {
            // It goes with its far end, when this process has ended.
            tracing::warn!(%error, device = near, "cannot remove a delay line");
        }
    }
}
