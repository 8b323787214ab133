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
};

use injector_common::packet::{EGRESS, INGRESS};

use crate::{
    kernel::net::{
        clsact,
        error::PacketError,
        fq,
        namespace::NetNs,
        offload,
        rtnetlink::Rtnetlink,
        side::{Mechanism, Side},
        tcx,
        veth::{self, End},
    },
    plan::{DelayLine, Queue, delay_line::device},
};

/// The programs of a line, as the kernel side names them.
#[derive(Debug)]
pub struct DelayLinePrograms {
    /// At far, for what comes in.
    pub decide: OwnedFd,
    /// At far, for what goes out; before its queue.
    pub stamp: OwnedFd,
    /// At near, for what comes back.
    pub back: OwnedFd,
}

/// The number of the first far end: the kernel may have made devices of its own in a new namespace (sit0, …).
const FIRST: u32 = 1000;

/// The lines of a plan, one for each network namespace.
#[derive(Debug)]
pub struct Lines {
    plan: u32,
    needs: DelayLine,
    mechanism: Mechanism,
    programs: DelayLinePrograms,
    /// Where all far ends are.
    own: NetNs,
    /// The number of the next far end there.
    next: AtomicU32,
}

/// The line of one network namespace. Dropping it removes it, with what waits in it.
#[derive(Debug)]
pub struct Laid {
    namespace: Arc<NetNs>,
    near: u32,
    name: String,
    far: u32,
    /// In the namespace of the far ends.
    socket: Rtnetlink,
    /// What it does already.
    serves: DelayLine,
    /// Held only to be closed.
    links: Vec<OwnedFd>,
}

impl Lines {
    /// None is laid yet.
    ///
    /// # Errors
    /// [`PacketError`]: no network namespace can be made.
    pub fn new(
        plan: u32,
        needs: DelayLine,
        mechanism: Mechanism,
        programs: DelayLinePrograms,
    ) -> Result<Self, PacketError> {
        Ok(Self { plan, needs, mechanism, programs, own: NetNs::fresh()?, next: AtomicU32::new(FIRST) })
    }

    /// Has those that are laid from now on do more.
    pub fn extend(&mut self, needs: DelayLine) {
        self.needs = needs;
    }

    /// Are they needed in a namespace that is the target's own, or is not?
    pub fn serve(&self, own: bool) -> bool {
        self.needs.directions & EGRESS != 0 || (self.needs.directions & INGRESS != 0 && own)
    }

    /// Lays one in a namespace.
    ///
    /// # Errors
    /// [`PacketError`]: the devices cannot be made in that namespace, or their queue is missing (veth, fq).
    pub fn lay(&self, namespace: &Arc<NetNs>) -> Result<Laid, PacketError> {
        let near = device(self.plan);
        let far = self.next.fetch_add(1, Relaxed);
        let failed = |what| move |source| PacketError::DelayLine { what, inode: namespace.inode(), source };
        let name = name(self.plan);
        let ends = (End { name: &name, index: near }, End { name: &format!("far{far}"), index: far });
        let own = self.own.as_fd();
        let socket = self.own.run(Rtnetlink::open)?.map_err(failed("reach its far end"))?;
        namespace
            .run(|| veth::make(&mut Rtnetlink::open()?, ends.0, (ends.1, own), veth::LARGEST))?
            .map_err(failed("make its devices"))?;
        // From here on dropping it removes the devices.
        let mut laid = Laid {
            namespace: Arc::clone(namespace),
            near,
            name,
            far,
            socket,
            serves: DelayLine::default(),
            links: Vec::new(),
        };
        laid.extend(self.needs)?;
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
                clsact::attach(&mut Rtnetlink::open()?, device, side, program.as_fd(), self.plan.into())?;
                Ok(None)
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
///
/// # Errors
/// [`PacketError`]: no network namespace can be made.
pub fn works() -> Result<io::Result<()>, PacketError> {
    let own = NetNs::fresh()?;
    own.run(|| {
        let mut socket = Rtnetlink::open()?;
        let [near, far] = [("near", FIRST), ("far", FIRST + 1)].map(|(name, index)| End { name, index });
        veth::make(&mut socket, near, (far, own.as_fd()), veth::LARGEST)?;
        fq::set(&mut socket, far.index, Queue::default(), true)
    })
}

impl Laid {
    /// Has it do more.
    pub fn extend(&mut self, needs: DelayLine) -> Result<(), PacketError> {
        let (near, inode) = (self.near, self.namespace.inode());
        let failed = |what| move |source| PacketError::DelayLine { what, inode, source };
        if let Some(queue) = needs.queue.filter(|_| needs.queue != self.serves.queue) {
            let anew = self.serves.queue.is_none();
            fq::set(&mut self.socket, self.far, queue, anew).map_err(failed("make its queue (fq)"))?;
            // Each as soon as it is done: if what follows fails, it is not done once more.
            self.serves.queue = Some(queue);
        }
        if needs.splits && !self.serves.splits {
            let split = self.namespace.run(|| veth::split(&mut Rtnetlink::open()?, near))?;
            split.map_err(failed("have super-packets taken apart"))?;
            self.serves.splits = true;
        }
        if needs.checksums && !self.serves.checksums {
            let made = self.namespace.run(|| offload::make_checksums(&self.name))?;
            made.map_err(failed("have its checksums made"))?;
        }
        self.serves = needs;
        Ok(())
    }

    /// How many packets wait in it.
    pub fn waiting(&mut self) -> io::Result<u32> {
        if self.serves.queue.is_some() { fq::waiting(&mut self.socket, self.far) } else { Ok(0) }
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
