//! The lease while its owner is busy: taking a program off a function can make the kernel wait for every
//! task on the machine, once a program. For a limited time: an injector that hangs loses its lease.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use injector_common::shared::LEASE_NS;

use crate::{clock, kernel::bpf::mapped::SharedMemory};

/// How often.
const PERIOD: Duration = Duration::from_millis(500);

/// How long at most.
const LIMIT: Duration = Duration::from_mins(1);

/// Renews a lease until it is dropped.
#[derive(Debug)]
pub struct LeaseKeeper {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LeaseKeeper {
    pub(crate) fn start(shared: Arc<SharedMemory>) -> io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let (watched, start) = (Arc::clone(&over), Instant::now());
        let renew = move || {
            while !watched.load(Relaxed) && start.elapsed() < LIMIT {
                shared.lease.store(clock::now() + LEASE_NS, Relaxed);
                thread::park_timeout(PERIOD);
            }
        };
        let thread = thread::Builder::new().name("injector-lease".into()).spawn(renew)?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}
