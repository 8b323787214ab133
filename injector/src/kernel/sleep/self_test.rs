//! How late somebody wakes up on this machine: a few naps of this very thread. It waits for a page of the sleeper as a
//! delayed call does and on the same way (mm/memory.c, `access_remote_vm`), but through /proc/PID/mem, so no program is
//! attached anywhere.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::FileExt as _,
    },
    time::{Duration, Instant},
};

use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_ARRAY;
use injector_common::{
    nap::{PLACES, Place, STRIDE},
    shared::Shared,
};
use nix::unistd::gettid;

use crate::{
    clock,
    kernel::{
        bpf::{mapped::SharedMemory, sys},
        sleep::{Napper, Step, at},
    },
    plan::MAX_CALL_DELAY,
    target::rlimit,
};

/// How long the thread is to sleep, and how often.
const NAP: Duration = Duration::from_millis(1);
const NAPS: usize = 15;

/// What was found: by how much naps were longer than asked for.
#[derive(Clone, Copy, Debug)]
pub struct Lateness {
    /// Half of them were less late.
    pub median: Duration,
    /// None was later.
    pub most: Duration,
}

/// Takes some twenty milliseconds, and the time to start the helpers. To be called by a process of one thread.
///
/// # Errors
/// What the kernel refused, or would not do in time.
pub fn lateness() -> Result<Lateness, Step> {
    rlimit::raise();
    let places = array("injector_places", size_of::<Place>(), PLACES)?;
    let shared = array("injector_shared", size_of::<Shared>(), 1)?;
    let shared = SharedMemory::map(shared.as_fd()).map_err(at("map a page"))?;
    let napper = Napper::start(places.as_fd(), &shared, MAX_CALL_DELAY)?;
    let memory = File::open(format!("/proc/{}/mem", napper.sleeper.number()));
    let memory = memory.map_err(at("open the memory of a process"))?;
    let mut late = (0..NAPS).map(|nth| nap(&napper, &memory, nth)).collect::<Result<Vec<_>, _>>()?;
    drop(napper.end());
    late.sort_unstable();
    let [median, most] = [NAPS / 2, NAPS - 1].map(|nth| late.get(nth).copied().unwrap_or_default());
    Ok(Lateness { median, most })
}

/// A map that can be mapped.
fn array(name: &str, value: usize, entries: u32) -> Result<OwnedFd, Step> {
    let shape = sys::MapShape {
        name,
        kind: BPF_MAP_TYPE_ARRAY as u32,
        key_size: 4,
        value_size: u32::try_from(value).unwrap_or(u32::MAX),
        max_entries: entries,
        flags: sys::BPF_F_MMAPABLE,
        ..sys::MapShape::default()
    };
    sys::create_map(&shape).map_err(at("make a map"))
}

/// One nap, in a place of its own: how late it ended.
fn nap(napper: &Napper, memory: &File, nth: usize) -> Result<Duration, Step> {
    let (_, bed) = napper.bed();
    let thread = u64::from(gettid().as_raw().unsigned_abs());
    napper.beds.take(nth, thread, clock::nanoseconds(NAP));
    let start = Instant::now();
    let read = memory.read_at(&mut [0], bed + nth as u64 * STRIDE);
    let took = start.elapsed();
    napper.beds.take(nth, 0, 0);
    match read {
        // There is never a page.
        Err(error) if error.raw_os_error() == Some(libc::EIO) => Ok(took.saturating_sub(NAP)),
        Err(error) => Err(at("sleep in the memory of a process")(error)),
        Ok(_) => Err(at("sleep in the memory of a process")(io::Error::from(io::ErrorKind::InvalidData))),
    }
}
