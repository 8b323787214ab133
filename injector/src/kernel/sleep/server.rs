//! The server: it is asked for pages of a file, and says when the time is over that there are none. An error
//! leaves nothing behind: no page is kept, so the same place can be slept in again.

use std::{os::fd::BorrowedFd, time::Duration};

use injector_common::sleep::{at_most, lasts_with};
use nix::{
    poll::{PollFd, PollFlags},
    sys::{signal::SigSet, time::TimeSpec},
};

use crate::{
    clock::nanoseconds,
    kernel::sleep::{
        fuse_proto::{self, Asked, Request},
        heartbeat::{BEAT, Cells, now},
        timers::Timers,
    },
};

/// How often a sleeper with a signal is asked whether it was killed, at least.
const CHECK: Duration = Duration::from_millis(10);

/// The largest request, and room: the kernel wants that much (`FUSE_MIN_READ_BUFFER`).
const BUFFER: usize = 128 << 10;

/// What the server needs to know of the others.
pub(super) struct Server<'a> {
    /// Where the kernel asks.
    pub(super) device: BorrowedFd<'a>,
    /// Closed by its other end: the injector is gone.
    pub(super) injector: BorrowedFd<'a>,
    /// How long who reads at this offset is to sleep, nanoseconds.
    pub(super) delay: &'a dyn Fn(u64) -> u64,
    /// Was this thread killed?
    pub(super) killed: &'a dyn Fn(u32) -> bool,
    /// Has this rule ended, or all of them?
    pub(super) ended: &'a dyn Fn(u32) -> bool,
    /// Bytes of the file.
    pub(super) size: u64,
    /// Nobody sleeps longer, nanoseconds.
    pub(super) longest: u64,
}

impl Server<'_> {
    /// Serves until the injector or the session ends.
    pub(super) fn run(&self, heartbeat: &Cells) {
        // Wake-ups to the microsecond; without it, fifty later.
        let _ = nix::sys::prctl::set_timerslack(1);
        let mut sleepers = Timers::default();
        let mut buffer = vec![0; BUFFER];
        let mut next_check = 0;
        loop {
            heartbeat.beat();
            let mut time = now();
            if time >= next_check {
                self.release_the_dead(&mut sleepers);
                // With thousands of them, looking at all takes longer than the time between two looks.
                let took = now().saturating_sub(time);
                time += took;
                next_check = time + nanoseconds(CHECK).max(4 * took);
            }
            for request in sleepers.outlasting(self.ended) {
                sleepers.wake(request);
                self.answer(&fuse_proto::failure(request, libc::EIO));
            }
            while let Some(request) = sleepers.next_over(time) {
                self.answer(&fuse_proto::failure(request, libc::EIO));
            }
            let check = if sleepers.disturbed().is_empty() { u64::MAX } else { next_check };
            let next = sleepers.next_end().unwrap_or(u64::MAX).min(check);
            let idle = next.saturating_sub(now()).min(nanoseconds(BEAT));
            if !self.wait(Duration::from_nanos(idle)) {
                return;
            }
            // Not for ever: whoever is to be woken has a turn as well.
            for _ in 0..64 {
                match rustix::io::read(self.device, &mut buffer[..]) {
                    Ok(length) => self.serve(&buffer[..length], &mut sleepers),
                    Err(rustix::io::Errno::AGAIN) => break,
                    // A request that was taken back meanwhile, or a signal.
                    Err(rustix::io::Errno::NOENT | rustix::io::Errno::INTR) => {}
                    Err(_) => return,
                }
            }
        }
    }

    /// Waits for a request; false when there is nobody left to serve.
    fn wait(&self, time: Duration) -> bool {
        let mut descriptors =
            [PollFd::new(self.device, PollFlags::POLLIN), PollFd::new(self.injector, PollFlags::empty())];
        // Interrupted, it is as if the time were over.
        let _ = nix::poll::ppoll(&mut descriptors, Some(TimeSpec::from_duration(time)), None::<SigSet>);
        let over = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
        !descriptors.iter().any(|one| one.revents().is_some_and(|events| events.intersects(over)))
    }

    fn serve(&self, bytes: &[u8], sleepers: &mut Timers) {
        let Some(Request { id, thread, asked }) = Request::parse(bytes) else { return };
        let answer = match asked {
            Asked::Init => fuse_proto::init(id),
            Asked::Lookup => fuse_proto::entry(id, self.size),
            Asked::Attributes { directory } => fuse_proto::attributes(id, directory, self.size),
            Asked::Open => fuse_proto::opened(id),
            Asked::Done => fuse_proto::done(id),
            Asked::Nothing => return,
            Asked::Unknown => fuse_proto::failure(id, libc::ENOSYS),
            Asked::Read { offset } => {
                let delay = (self.delay)(offset);
                match (lasts_with(delay), at_most(delay, self.longest)) {
                    (Some(rule), _) => return sleepers.sleep_with_rule(id, thread, rule),
                    (None, 0) => fuse_proto::failure(id, libc::EIO),
                    (None, delay) => return sleepers.sleep_until(id, thread, now() + delay),
                }
            }
            Asked::Interrupt { of } => return sleepers.disturb(of),
        };
        self.answer(&answer);
    }

    /// A thread with a signal sleeps on in a state in which the kernel does not let it die, so we look which
    /// signal it is: on SIGKILL it is let go, on any other it sleeps on, as one that a tracer has stopped.
    fn release_the_dead(&self, sleepers: &mut Timers) {
        for (request, thread) in sleepers.disturbed() {
            if (self.killed)(thread) && sleepers.wake(request) {
                self.answer(&fuse_proto::failure(request, libc::EINTR));
            }
        }
    }

    /// Who is not there any more needs no answer (ENOENT).
    fn answer(&self, bytes: &[u8]) {
        let _ = rustix::io::write(self.device, bytes);
    }
}

/// Is SIGKILL among the signals of this thread that it has not seen yet? Yes as well where we cannot know: a
/// delay is cut short rather than a thread kept.
pub(super) fn killed(thread: u32) -> bool {
    const SIGKILL: u64 = 1 << (libc::SIGKILL - 1);
    let Ok(status) = std::fs::read_to_string(format!("/proc/{thread}/status")) else { return true };
    let pending = status.lines().find_map(|line| line.strip_prefix("SigPnd:"));
    pending.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & SIGKILL != 0)
}

#[cfg(test)]
mod tests {
    use std::{
        os::{fd::AsFd, unix::net::UnixDatagram},
        thread,
        time::Instant,
    };

    use injector_common::sleep::forever;

    use super::{
        super::{fuse_proto::tests::request, heartbeat::Heartbeat},
        *,
    };

    /// The kernel's end of a device that is none, and the end of the injector. All rules have ended but rule 5.
    fn session<R>(body: impl FnOnce(&UnixDatagram) -> R) -> R {
        let (kernel, device) = UnixDatagram::pair().unwrap();
        device.set_nonblocking(true).unwrap();
        kernel.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (mine, theirs) = nix::unistd::pipe().unwrap();
        let heartbeat = Heartbeat::anonymous().unwrap();
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                Server {
                    device: device.as_fd(),
                    injector: mine.as_fd(),
                    delay: &|offset| {
                        if offset < 5 << 20 {
                            offset * 1_000_000
                        } else {
                            forever(5 + u32::from(offset > 5 << 20))
                        }
                    },
                    killed: &|thread| thread == 13,
                    ended: &|rule| rule != 5,
                    size: 1 << 20,
                    longest: 60_000_000,
                }
                .run(&heartbeat);
            });
            let result = body(&kernel);
            drop(theirs);
            server.join().unwrap();
            result
        })
    }

    fn answer(kernel: &UnixDatagram) -> (u64, i32) {
        let mut bytes = [0; 256];
        let length = kernel.recv(&mut bytes).unwrap();
        assert!(length >= 16);
        let id = u64::from_ne_bytes(bytes[8..16].try_into().unwrap());
        (id, i32::from_ne_bytes(bytes[4..8].try_into().unwrap()))
    }

    #[test]
    fn the_shorter_delay_ends_first_and_none_ends_early() {
        session(|kernel| {
            let start = Instant::now();
            kernel.send(&request(15, 2, 7, &[1, 40, 4096])).unwrap();
            kernel.send(&request(15, 4, 7, &[1, 20, 4096])).unwrap();
            assert_eq!(answer(kernel), (4, -libc::EIO));
            assert!(start.elapsed() >= Duration::from_millis(20));
            assert_eq!(answer(kernel), (2, -libc::EIO));
            assert!(start.elapsed() >= Duration::from_millis(40));
        });
    }

    #[test]
    fn no_delay_is_longer_than_the_longest() {
        session(|kernel| {
            let start = Instant::now();
            kernel.send(&request(15, 2, 7, &[1, 3_600_000, 4096])).unwrap();
            assert_eq!(answer(kernel), (2, -libc::EIO));
            assert!(start.elapsed() >= Duration::from_millis(60));
        });
    }

    #[test]
    fn who_sleeps_with_a_rule_is_woken_when_it_ends_or_he_dies() {
        session(|kernel| {
            kernel.send(&request(15, 2, 13, &[1, 5 << 20, 4096])).unwrap();
            kernel.send(&request(15, 4, 7, &[1, 6 << 20, 4096])).unwrap();
            assert_eq!(answer(kernel), (4, -libc::EIO));
            kernel.send(&request(36, 3, 13, &[2])).unwrap();
            assert_eq!(answer(kernel), (2, -libc::EINTR));
        });
    }

    #[test]
    fn only_the_killed_are_let_go_before_their_time() {
        session(|kernel| {
            let start = Instant::now();
            kernel.send(&request(15, 2, 7, &[1, 50, 4096])).unwrap();
            kernel.send(&request(15, 4, 13, &[1, 55, 4096])).unwrap();
            kernel.send(&request(36, 3, 7, &[2])).unwrap();
            kernel.send(&request(36, 5, 13, &[4])).unwrap();
            assert_eq!(answer(kernel), (4, -libc::EINTR));
            assert_eq!(answer(kernel), (2, -libc::EIO));
            assert!(start.elapsed() >= Duration::from_millis(50));
        });
    }

    #[test]
    fn the_file_is_there_and_what_is_not_is_said() {
        session(|kernel| {
            for (operation, error) in [(26, 0), (1, 0), (3, 0), (14, 0), (18, 0), (16, -libc::ENOSYS)] {
                kernel.send(&request(operation, u64::from(operation), 7, &[0; 8])).unwrap();
                assert_eq!(answer(kernel), (u64::from(operation), error));
            }
            // Forgetting wants no answer: the next one is to the next request.
            kernel.send(&request(2, 90, 7, &[1])).unwrap();
            kernel.send(&request(15, 91, 7, &[1, 0, 4096])).unwrap();
            assert_eq!(answer(kernel), (91, -libc::EIO));
        });
    }

    #[test]
    fn a_thread_that_was_not_killed_is_told_from_one_that_is_not_there() {
        assert!(!killed(std::process::id()));
        assert!(killed(0));
        assert!(killed(u32::MAX));
    }
}
