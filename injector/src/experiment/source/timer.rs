//! Waiting until a moment of `CLOCK_BOOTTIME`. The runtime's own timers count in whole milliseconds, which would make each
//! latency longer by half of one, and stand still while the machine sleeps.

use std::{io, os::fd::OwnedFd, time::Duration};

use nix::sys::{
    time::TimeSpec,
    timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::clock;

/// A timer.
#[derive(Debug)]
pub struct Timer {
    timer: TimerFd,
    /// The same one.
    ready: AsyncFd<OwnedFd>,
}

impl Timer {
    /// One that is set to nothing.
    ///
    /// # Errors
    /// There are too many open files.
    pub fn new() -> io::Result<Self> {
        use std::os::fd::AsFd;

        let timer =
            TimerFd::new(ClockId::CLOCK_BOOTTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let same = timer.as_fd().try_clone_to_owned()?;
        // SAFETY: an OwnedFd gives its own descriptor, which stays open until the AsyncFd lets go of it.
        let ready = unsafe { AsyncFd::register_with_interest(same, Interest::READABLE) }?;
        Ok(Self { timer, ready })
    }

    /// Until that moment, nanoseconds; at once if it is over. May be dropped and called again.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn until(&self, at: u64) -> io::Result<()> {
        while clock::now() < at {
            let moment = TimeSpec::from_duration(Duration::from_nanos(at));
            self.timer.set(Expiration::OneShot(moment), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            let mut guard = self.ready.readable().await?;
            if self.timer.wait() == Err(nix::Error::EAGAIN) {
                guard.clear_ready();
            }
        }
        Ok(())
    }
}
