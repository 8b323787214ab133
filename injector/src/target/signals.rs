//! The signals that end or reach `run` and `attach`, read from a descriptor instead of handlers, with
//! their sender: what a terminal sends, the command has got as well; what a process sends, it has not.

use std::{io, ptr};

use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};
use tokio::io::{Interest, unix::AsyncFd};

/// The ones that are taken, unless the caller ignores them (`nohup`, or `&` in a script).
const TAKEN: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// `SI_KERNEL` (include/uapi/asm-generic/siginfo.h): sent by the kernel, here by the terminal driver.
const SI_KERNEL: i32 = 0x80;

/// A source of signals.
#[derive(Debug)]
pub struct Signals {
    taken: SigSet,
    descriptor: AsyncFd<SignalFd>,
}

/// One signal that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Which.
    pub signal: Signal,
    /// The terminal sent it, to every process of its foreground group.
    pub from_terminal: bool,
    /// Who sent it, if it was a process that can be seen from here.
    pub sender: Option<u32>,
}

impl Signals {
    /// Takes the signals. To be called in a tokio runtime, before any other thread is started: one
    /// that has them unblocked would be chosen to die of them.
    ///
    /// # Errors
    /// sigprocmask(2) or signalfd(2) fails, or the descriptor cannot be watched.
    pub fn take() -> io::Result<Self> {
        let mut taken = SigSet::empty();
        for signal in TAKEN {
            if !is_ignored(signal)? {
                taken.add(signal);
            }
        }
        taken.thread_block()?;
        let descriptor = SignalFd::with_flags(&taken, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        // SAFETY: a SignalFd gives its own descriptor, which stays open until the AsyncFd lets go of it.
        let descriptor = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
        Ok(Self { taken, descriptor: descriptor? })
    }

    /// The next one; it is not lost if the future is dropped.
    ///
    /// # Errors
    /// read(2) of the signal descriptor fails.
    pub async fn next(&self) -> io::Result<Received> {
        loop {
            let mut ready = self.descriptor.readable().await?;
            match ready.get_inner().read_signal()? {
                Some(info) => {
                    let signal =
                        i32::try_from(info.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok());
                    let Some(signal) = signal else { continue };
                    return Ok(Received {
                        signal,
                        from_terminal: info.ssi_code == SI_KERNEL,
                        sender: (info.ssi_code != SI_KERNEL && info.ssi_pid != 0).then_some(info.ssi_pid),
                    });
                }
                None => ready.clear_ready(),
            }
        }
    }

    /// What a child has to unblock, to be as if it was started without us.
    pub(crate) fn set(&self) -> SigSet {
        self.taken
    }
}

impl Received {
    /// Whether a command of ours that is in our process group has not got it already.
    ///
    /// A hang-up that does not end the session goes to the session's leader alone (`__tty_hangup` in
    /// drivers/tty/tty_io.c).
    pub(crate) fn is_for_us_alone(self) -> bool {
        let leader = || nix::unistd::getsid(None) == Ok(nix::unistd::getpid());
        !self.from_terminal || (self.signal == Signal::SIGHUP && leader())
    }
}

fn is_ignored(signal: Signal) -> io::Result<bool> {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null new action only asks for the present one, which is written to `action`.
    let result = unsafe { libc::sigaction(signal as libc::c_int, ptr::null(), action.as_mut_ptr()) };
    nix::errno::Errno::result(result)?;
    // SAFETY: the call succeeded and filled it.
    Ok(unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN)
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{SigHandler, raise};

    use super::*;

    /// One test for all, because signals belong to the whole process; SIGQUIT and SIGHUP are sent to
    /// this thread only.
    #[tokio::test(flavor = "current_thread")]
    async fn signals_come_with_their_sender() {
        // Whoever runs the tests in the background, or under nohup, has them ignored.
        for signal in [Signal::SIGQUIT, Signal::SIGHUP] {
            // SAFETY: no handler.
            unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }.unwrap();
        }
        let signals = Signals::take().unwrap();
        raise(Signal::SIGQUIT).unwrap();
        let first = signals.next().await.unwrap();
        let own = Some(std::process::id());
        assert_eq!(first, Received { signal: Signal::SIGQUIT, from_terminal: false, sender: own });
        assert!(first.is_for_us_alone());
        raise(Signal::SIGHUP).unwrap();
        assert_eq!(signals.next().await.unwrap().signal, Signal::SIGHUP);
        let by_terminal = Received { signal: Signal::SIGINT, from_terminal: true, sender: None };
        assert!(!by_terminal.is_for_us_alone());
    }

    #[test]
    fn an_ignored_signal_is_left_alone() {
        // The standard library ignores SIGPIPE in every Rust program.
        assert!(is_ignored(Signal::SIGPIPE).unwrap());
        assert!(!is_ignored(Signal::SIGALRM).unwrap());
    }
}
