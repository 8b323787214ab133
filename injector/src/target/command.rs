//! A command that we start, in a cgroup of its own, and outlive: `run -- COMMAND`.
//!
//! Its cgroup exists before it does, so that rules can be put on it first. It enters by itself,
//! between fork and exec: not one instruction of the command runs outside.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, ExitStatus},
    time::Duration,
};

use nix::sys::{
    resource::{Resource, rlim_t, setrlimit},
    signal::{SigSet, SigmaskHow, Signal, sigprocmask},
};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use tokio::io::unix::AsyncFd;

use crate::{
    readable::readable,
    target::{
        cgroup::Cgroup,
        entry::{self, Loading, Progress},
        error::CommandError,
        hierarchy::Hierarchy,
        identity::Identity,
        procfs::Procfs,
        rlimit,
        run_cgroup::{self, Placement, Removal},
        signals::{Received, Signals},
    },
};

/// Added to the errno of a child that could not enter its cgroup, to tell it from one of exec; real
/// ones are below 4096 (`MAX_ERRNO`, include/linux/err.h).
const AT_THE_DOOR: i32 = 1 << 16;
/// The same for a child that must not be traced.
const UNTRACED: i32 = 1 << 17;

/// How often it is looked whether a command has come to its entry point.
const LOOK: Duration = Duration::from_millis(1);

/// A command with its cgroup, before, while and after it runs.
#[derive(Debug)]
pub struct Command {
    words: Vec<OsString>,
    cgroup: Cgroup,
    door: File,
    placement: Placement,
    unblocked: SigSet,
    identity: Option<Identity>,
    /// Is it held at its entry point?
    held: bool,
    state: State,
}

/// How far a command has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// It stands at its entry point.
    Entered,
    /// It has ended, with this exit code, as [`Command::wait`] has it.
    Ended(i32),
}

#[derive(Debug)]
enum State {
    Prepared,
    Running(Running),
    Ended,
}

#[derive(Debug)]
struct Running {
    child: Child,
    pidfd: OwnedFd,
    /// Until it has been released from its entry point.
    loading: Option<Loading>,
    /// The same as `pidfd` once more, from the first time on that it is waited for in a runtime.
    end: Option<AsyncFd<OwnedFd>>,
}

impl Command {
    /// Makes the cgroup for the command `words`, its name and arguments; starts nothing.
    ///
    /// # Errors
    /// There are no words, or no cgroup can be made.
    pub fn prepare(
        words: Vec<OsString>,
        hierarchy: &Hierarchy,
        procfs: &Procfs,
    ) -> Result<Self, CommandError> {
        if words.is_empty() {
            return Err(CommandError::Empty);
        }
        let (cgroup, placement) = run_cgroup::make(hierarchy, procfs)?;
        let path = cgroup.path().join("cgroup.procs");
        match OpenOptions::new().write(true).open(&path) {
            Ok(door) => {
                let unblocked = SigSet::empty();
                Ok(Self {
                    words,
                    cgroup,
                    door,
                    placement,
                    unblocked,
                    identity: None,
                    held: false,
                    state: State::Prepared,
                })
            }
            Err(source) => {
                let _ = run_cgroup::remove(&cgroup);
                Err(CommandError::Enter { path: cgroup.path().to_path_buf(), source })
            }
        }
    }

    /// Its cgroup.
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// Where its cgroup is, and why.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// The command's name, as it was given.
    pub fn name(&self) -> String {
        self.words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Gives it the signals back that were taken from this process.
    pub fn unblock(&mut self, signals: &Signals) {
        self.unblocked = signals.set();
    }

    /// Has it run as this user instead of ours.
    pub fn run_as(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    /// Has it wait, when its dynamic loader is done, at its own first instruction: [`Self::milestone`] says when, and
    /// [`Self::release`] has it go on. Both are for the thread that calls [`Self::start`].
    pub fn hold_at_entry(&mut self) {
        self.held = true;
    }

    /// Starts it and gives its number. It has our descriptors 0 to 2, directory, environment and process
    /// group, and our signal mask, but for what [`Self::unblock`] gives back. To be called once.
    ///
    /// # Errors
    /// There is no such program, it cannot be executed, or it could not enter its cgroup.
    pub fn start(&mut self) -> Result<u32, CommandError> {
        let Some((program, arguments)) = self.words.split_first() else { return Err(CommandError::Empty) };
        let mut command = std::process::Command::new(program);
        command.args(arguments);
        let (door, unblocked) = (self.door.as_raw_fd(), self.unblocked);
        let files = rlimit::started_with();
        let identity = self.identity.clone();
        let become_user = move || identity.as_ref().map_or(Ok(()), Identity::take);
        // SAFETY: between fork and exec only async-signal-safe calls are allowed: this makes system calls and allocates
        // nothing. `door` is open as long as `self`, that is beyond the fork.
        unsafe { command.pre_exec(move || enter(door, &unblocked, files).and_then(|()| become_user())) };
        if self.held {
            // SAFETY: the same.
            unsafe { command.pre_exec(|| entry::ask().map_err(|error| marked(&error, UNTRACED))) };
        }
        let mut child = command.spawn().map_err(|error| self.refusal(error))?;
        let pid = child.id();
        match watch(&child) {
            Ok(pidfd) => {
                let loading = self.held.then(|| Loading::of(nix::unistd::Pid::from_raw(pid.cast_signed())));
                self.state = State::Running(Running { child, pidfd, loading, end: None });
            }
            Err(source) => {
                // Nobody would notice its end.
                let _ = child.kill().and_then(|()| child.wait());
                return Err(self.failure("watch", source));
            }
        }
        Ok(pid)
    }

    fn refusal(&self, error: io::Error) -> CommandError {
        match error.raw_os_error() {
            Some(code) if code >= UNTRACED => {
                self.failure("trace", io::Error::from_raw_os_error(code - UNTRACED))
            }
            Some(code) if code >= AT_THE_DOOR => CommandError::Enter {
                path: self.cgroup.path().to_path_buf(),
                source: io::Error::from_raw_os_error(code - AT_THE_DOOR),
            },
            Some(libc::ENOENT) => CommandError::NotFound(self.name()),
            _ => CommandError::NotExecutable { name: self.name(), source: error },
        }
    }

    fn failure(&self, verb: &'static str, source: io::Error) -> CommandError {
        CommandError::System { verb, name: self.name(), source }
    }

    /// Waits for its end and gives its exit code, 128+n for one that signal n killed. Nothing is lost if
    /// the future is dropped. At once 125 if it does not run. To be called in a tokio runtime.
    ///
    /// # Errors
    /// It cannot be watched.
    pub async fn wait(&mut self) -> Result<i32, CommandError> {
        let name = self.name();
        let State::Running(running) = &mut self.state else { return Ok(125) };
        let status =
            ended(running).await.map_err(|source| CommandError::System { verb: "wait for", name, source })?;
        self.state = State::Ended;
        Ok(exit_code(status))
    }

    /// The same for those who have no runtime.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn wait_blocking(&mut self) -> Result<i32, CommandError> {
        let name = self.name();
        let State::Running(running) = &mut self.state else { return Ok(125) };
        let status = running.child.wait();
        let status = status.map_err(|source| CommandError::System { verb: "wait for", name, source })?;
        self.state = State::Ended;
        Ok(exit_code(status))
    }

    /// Waits for what comes next: that it stands at its entry point, if it is held there and has not been released, or
    /// that it has ended. Nothing is lost if the future is dropped. To be called in a tokio runtime.
    ///
    /// # Errors
    /// It cannot be traced any more, and goes on; or it cannot be waited for.
    pub async fn milestone(&mut self) -> Result<Milestone, CommandError> {
        while let State::Running(running) = &mut self.state
            && let Some(loading) = &mut running.loading
        {
            match loading.advance() {
                Ok(Progress::Entered) => return Ok(Milestone::Entered),
                // No descriptor becomes readable when a traced thread stops.
                Ok(Progress::Loading) => tokio::time::sleep(LOOK).await,
                Ok(Progress::Ended) => running.loading = None,
                Err(source) => {
                    let _ = self.release();
                    return Err(self.failure("trace", source));
                }
            }
        }
        self.wait().await.map(Milestone::Ended)
    }

    /// Has it go on from its entry point.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn release(&mut self) -> Result<(), CommandError> {
        let State::Running(running) = &mut self.state else { return Ok(()) };
        let released = running.loading.take().map_or(Ok(()), Loading::release);
        released.map_err(|source| self.failure("go on with", source))
    }

    /// Passes a signal on, unless it got it already together with us.
    ///
    /// # Errors
    /// As of [`Self::signal`].
    pub fn forward(&self, received: Received) -> Result<(), CommandError> {
        if received.is_for_us_alone() { self.signal(received.signal) } else { Ok(()) }
    }

    /// Sends it a signal, if it runs.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn signal(&self, signal: Signal) -> Result<(), CommandError> {
        let Some(running) = self.running() else { return Ok(()) };
        let Some(signal) = rustix::process::Signal::from_named_raw(signal as i32) else { return Ok(()) };
        match pidfd_send_signal(&running.pidfd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(self.failure("signal", error.into())),
        }
    }

    fn running(&self) -> Option<&Running> {
        match &self.state {
            State::Running(running) => Some(running),
            State::Prepared | State::Ended => None,
        }
    }

    /// Removes its cgroup, if it left nobody behind.
    ///
    /// # Errors
    /// The cgroup stays, though nobody is in it.
    pub fn remove(self) -> Result<Removal, CommandError> {
        Ok(run_cgroup::remove(&self.cgroup)?)
    }
}

/// Whoever gives up on the way leaves no cgroup behind either.
impl Drop for Command {
    fn drop(&mut self) {
        let _ = run_cgroup::remove(&self.cgroup);
    }
}

/// Runs in the child: into the cgroup (`0` stands for the writer), and signals and limits as they were.
fn enter(door: std::os::fd::RawFd, unblocked: &SigSet, files: Option<(rlim_t, rlim_t)>) -> io::Result<()> {
    // SAFETY: one byte that lives through the call; a bad descriptor would only be refused.
    let written = unsafe { libc::write(door, b"0".as_ptr().cast(), 1) };
    if written != 1 {
        return Err(marked(&io::Error::last_os_error(), AT_THE_DOOR));
    }
    if let Some((soft, hard)) = files {
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
    }
    sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(unblocked), None)?;
    Ok(())
}

/// An error of the child, which says by `mark` of what.
fn marked(error: &io::Error, mark: i32) -> io::Error {
    io::Error::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO) + mark)
}

/// The number is the child's as long as nobody waited for it.
fn watch(child: &Child) -> io::Result<OwnedFd> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

async fn ended(running: &mut Running) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = running.child.try_wait()? {
            return Ok(status);
        }
        let end = match &mut running.end {
            Some(end) => end,
            none => none.insert(readable(running.pidfd.try_clone()?)?),
        };
        end.readable().await?.clear_ready();
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(125)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_as_a_shell_has_them() {
        assert_eq!(exit_code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(exit_code(ExitStatus::from_raw(libc::SIGKILL)), 137);
        assert_eq!(exit_code(ExitStatus::from_raw(libc::SIGSEGV | 0x80)), 139, "with a core dump");
    }

    #[test]
    fn a_child_that_cannot_enter_says_so() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let refused = enter(full.as_raw_fd(), &SigSet::empty(), None).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::ENOSPC + AT_THE_DOOR));
        let null = OpenOptions::new().write(true).open("/dev/null").unwrap();
        enter(null.as_raw_fd(), &SigSet::empty(), None).unwrap();
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_end_of_a_child_is_seen() {
        let child = std::process::Command::new("sh").args(["-c", "exit 7"]).spawn().unwrap();
        let mut running = Running { pidfd: watch(&child).unwrap(), child, loading: None, end: None };
        assert_eq!(exit_code(ended(&mut running).await.unwrap()), 7);
    }
}
