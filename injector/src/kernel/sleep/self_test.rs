//! How late somebody wakes up on this machine: a few delays of this very thread. It waits for a page of the pager as a
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
    shared::Shared,
    sleep::{SLEEP_SLOTS, STRIDE, SleepSlot},
};
use nix::unistd::gettid;

use crate::{
    clock,
    kernel::{
        bpf::{mapped::SharedMemory, sys},
        sleep::{
            Helpers,
            step::{Step, at},
        },
    },
    plan::MAX_CALL_DELAY,
    target::rlimit,
};

/// How long the thread is to sleep, and how often.
const DELAY: Duration = Duration::from_millis(1);
const TRIES: usize = 15;

/// What was found: by how much delays were longer than asked for.
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
    let slots = array("injector_slots", size_of::<SleepSlot>(), SLEEP_SLOTS)?;
    let shared = array("injector_shared", size_of::<Shared>(), 1)?;
    let shared = SharedMemory::map(shared.as_fd()).map_err(at("map a page"))?;
    let helpers = Helpers::start(slots.as_fd(), &shared, MAX_CALL_DELAY)?;
    let memory = File::open(format!("/proc/{}/mem", helpers.pager.number()));
    let memory = memory.map_err(at("open the memory of a process"))?;
    let mut late = (0..TRIES).map(|nth| delayed(&helpers, &memory, nth)).collect::<Result<Vec<_>, _>>()?;
    drop(helpers.end());
    late.sort_unstable();
    let [median, most] = [TRIES / 2, TRIES - 1].map(|nth| late.get(nth).copied().unwrap_or_default());
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

/// One delay, in a slot of its own: how late it ended.
fn delayed(helpers: &Helpers, memory: &File, nth: usize) -> Result<Duration, Step> {
    let (_, slots) = helpers.mapping();
    let thread = u64::from(gettid().as_raw().unsigned_abs());
    helpers.slots.take(nth, thread, clock::nanoseconds(DELAY));
    let start = Instant::now();
    let read = memory.read_at(&mut [0], slots + nth as u64 * STRIDE);
    let took = start.elapsed();
    helpers.slots.take(nth, 0, 0);
    match read {
        // There is never a page.
        Err(error) if error.raw_os_error() == Some(libc::EIO) => Ok(took.saturating_sub(DELAY)),
        Err(error) => Err(at("sleep in the memory of a process")(error)),
        Ok(_) => Err(at("sleep in the memory of a process")(io::Error::from(io::ErrorKind::InvalidData))),
    }
}
