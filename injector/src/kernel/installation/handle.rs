//! What others need of a plan in the kernel, without its programs: when the plan acts, what its rules have counted, and
//! which processes no rule meets. It can be cloned and sent to any thread.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
};

use injector_common::{
    counters::Counters,
    plan::PlanHeader,
    thread::{self, Thread},
};
use nix::libc;

use crate::kernel::{
    bpf::{loader::Maps, mapped::SharedMemory, sys},
    error::{InstallError, system},
    live::registry::Listing,
};

/// A handle to the maps of a plan.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Arc<SharedMemory>,
    counters: OwnedFd,
    threads: OwnedFd,
    /// Bytes of a thread's state.
    state_size: usize,
    /// The numbers of the processes that make calls wait.
    helpers: Mutex<Vec<u32>>,
    /// The numbers by which other injectors find the maps of the state and of the counters.
    numbers: [u32; 2],
}

impl Handle {
    /// A handle to these maps, in which a thread's state has `state_size` bytes.
    pub(crate) fn new(maps: &Maps, state_size: usize) -> Result<Self, InstallError> {
        let own = |name| -> Result<OwnedFd, InstallError> {
            maps.get(name)?.try_clone_to_owned().map_err(system(format!("use the map {name}")))
        };
        let number = |name| -> Result<u32, InstallError> {
            sys::map_id(maps.get(name)?).map_err(system("ask for a map's number"))
        };
        let state = SharedMemory::map(maps.get(".bss.shared")?).map_err(system("map the shared memory"))?;
        Ok(Self(Arc::new(Inner {
            state: Arc::new(state),
            counters: own("COUNTERS")?,
            threads: own("THREADS")?,
            state_size,
            helpers: Mutex::default(),
            numbers: [number(".bss.shared")?, number("COUNTERS")?],
        })))
    }

    /// When the plan acts, until when, and which of its rules are switched off: what both sides have open.
    pub fn state(&self) -> &SharedMemory {
        &self.0.state
    }

    /// The same memory, for as long as another thread has it.
    pub(crate) fn memory(&self) -> Arc<SharedMemory> {
        Arc::clone(&self.0.state)
    }

    /// Was the plan ended?
    pub fn has_ended(&self) -> bool {
        self.state().deadline.load(Relaxed) == 0
    }

    /// Writes what rule `number` has counted, for a rule that user space carries out. Of each rule there is one who does.
    ///
    /// # Errors
    /// bpf(2)'s: the map has no rule of that number.
    pub fn count(&self, number: u32, counters: &Counters) -> io::Result<()> {
        sys::update(self.0.counters.as_fd(), &number.to_ne_bytes(), bytemuck::bytes_of(counters))
    }

    /// Keeps all rules off a process.
    ///
    /// # Errors
    /// [`InstallError`]: there is no memory for the thread's state, or the descriptor is no pidfd.
    pub fn exempt(&self, pidfd: BorrowedFd<'_>) -> Result<(), InstallError> {
        self.mark(pidfd, 0, thread::EXEMPT, 0).map(drop)
    }

    /// Marks a process by its pidfd with `flags` of [`thread`], unless it is marked already or has ended; says whether it
    /// did.
    ///
    /// # Errors
    /// As [`Self::exempt`].
    pub fn mark(
        &self,
        pidfd: BorrowedFd<'_>,
        position: u64,
        flags: u32,
        target: u32,
    ) -> Result<bool, InstallError> {
        let mut value = vec![0; self.0.state_size];
        let head = Thread::at(position, flags, target);
        let head = bytemuck::bytes_of(&head);
        value.get_mut(..head.len()).unwrap_or_default().copy_from_slice(head);
        match sys::insert(self.0.threads.as_fd(), &pidfd.as_raw_fd().to_ne_bytes(), &value) {
            Ok(new) => Ok(new),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT)) => Ok(false),
            Err(source) => Err(system("mark a process")(source)),
        }
    }

    /// The numbers of the processes that make calls wait, in this pid namespace.
    pub fn helpers(&self) -> Vec<u32> {
        self.0.helpers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes which processes make calls wait now.
    pub(super) fn set_helpers(&self, numbers: Vec<u32>) {
        *self.0.helpers.lock().unwrap_or_else(PoisonError::into_inner) = numbers;
    }

    /// Makes the plan known to everybody who looks, see [`crate::kernel::live::registry`]; again after a change.
    ///
    /// # Errors
    /// [`InstallError`]: the map cannot be written.
    pub fn list(&self, header: PlanHeader, text: &str, listing: &Listing) -> Result<(), InstallError> {
        let [shared_map, counters_map] = self.0.numbers;
        let header = PlanHeader { shared_map, counters_map, ..header };
        listing.write(header, text).map_err(system("publish the plan"))
    }
}
