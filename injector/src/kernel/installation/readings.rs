//! What an installation tells: counters, queues, events, misses.

use std::os::fd::{AsFd as _, OwnedFd};

use aya::maps::{Map, MapData, RingBuf};
use bytemuck::Pod;
use injector_common::{
    counters::{Counters, Traffic},
    queue::Queue,
};

use crate::kernel::{
    bpf::sys,
    error::system,
    installation::{InstallError, Installation, sockets::Sockets},
};

/// The counters of a plan, for whoever reads them while others change it.
#[derive(Debug)]
pub struct Readings {
    counters: OwnedFd,
    traffic: OwnedFd,
    queues: OwnedFd,
    cgroups: OwnedFd,
}

impl Readings {
    /// The counters of rule `number` as they are now.
    ///
    /// # Errors
    /// [`InstallError`]: the map cannot be read, or has no rule of that number.
    pub fn counters(&self, number: u32) -> Result<Counters, InstallError> {
        read(&self.counters, number, "read the counters")
    }

    /// What rule `number` has counted of packets.
    ///
    /// # Errors
    /// [`InstallError`]: the map cannot be read, or has no rule of that number.
    pub fn traffic(&self, number: u32) -> Result<Traffic, InstallError> {
        read(&self.traffic, number, "read the counters")
    }

    /// What of rule number `number` waits, in a plan that may have rules on packets.
    ///
    /// # Errors
    /// [`InstallError`]: the map cannot be read, or has no rule of that number.
    pub fn queue(&self, number: u32) -> Result<Queue, InstallError> {
        read(&self.queues, number, "read a queue")
    }

    /// The number of the target that the cgroup with this id belongs to; `None` if it is none, or no longer there.
    pub fn target_of(&self, cgroup: u64) -> Option<u32> {
        let mut number = [0; size_of::<u32>()];
        sys::lookup(self.cgroups.as_fd(), &cgroup.to_ne_bytes(), &mut number).ok()?;
        Some(u32::from_ne_bytes(number))
    }
}

/// The element of rule `number` in an array of such elements; `what` is what an error says.
fn read<T: Pod>(map: &OwnedFd, number: u32, what: &'static str) -> Result<T, InstallError> {
    let mut out = T::zeroed();
    sys::lookup(map.as_fd(), &number.to_ne_bytes(), bytemuck::bytes_of_mut(&mut out))
        .map_err(system(what))?;
    Ok(out)
}

impl Installation {
    /// What the plan counts.
    ///
    /// # Errors
    /// [`InstallError`]: no descriptor is left.
    pub fn readings(&self) -> Result<Readings, InstallError> {
        let own = |map| -> Result<OwnedFd, InstallError> {
            self.object.maps().get(map)?.try_clone_to_owned().map_err(system("use the map of counters"))
        };
        let (counters, traffic, queues) = (own("COUNTERS")?, own("TRAFFIC")?, own("QUEUES")?);
        Ok(Readings { counters, traffic, queues, cgroups: own("CGROUPS")? })
    }

    /// The ring buffer of events.
    ///
    /// # Errors
    /// [`InstallError`]: no descriptor is left, or the ring buffer cannot be mapped.
    pub fn events(&self) -> Result<RingBuf<MapData>, InstallError> {
        let fd = self.object.maps().get("EVENTS")?;
        let fd = fd.try_clone_to_owned().map_err(system("use the map of events"))?;
        Ok(RingBuf::try_from(Map::RingBuf(MapData::from_fd(fd)?))?)
    }

    /// Programs that the kernel skipped because they were running already, by function; none that never was.
    pub fn misses(&self) -> Vec<(String, u64)> {
        let mut all = self.misses_before.clone();
        for program in &self.calls {
            *all.entry(program.name.clone()).or_default() += program.attached.misses();
        }
        if let Some(sockets) = &self.sockets {
            all.insert(Sockets::name(), sockets.misses());
        }
        all.into_iter().filter(|(_, misses)| *misses > 0).collect()
    }
}
