//! The moment at which a command's dynamic loader is done and the program's own first instruction is next: its ELF entry
//! point, where the rules of `run --after-start` begin.
//!
//! The command is traced until then, with a breakpoint at that address, and no longer. Programs that it executes before
//! (from a library's constructor) have entry points of their own.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _},
    os::unix::fs::FileExt as _,
};

use nix::{
    errno::Errno,
    sys::{
        ptrace::{self, Event, Options},
        signal::Signal,
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};

/// The instruction at which a thread stops.
#[cfg(target_arch = "x86_64")]
const TRAP: [u8; 1] = [0xcc];
#[cfg(target_arch = "aarch64")]
const TRAP: [u8; 4] = 0xd420_0000_u32.to_le_bytes();

/// `AT_ENTRY` (include/uapi/linux/auxvec.h).
const AT_ENTRY: u64 = 9;

/// To be called by the child, before it executes the program.
///
/// # Errors
/// ptrace(2)'s: who started it must not trace it.
pub(super) fn ask() -> io::Result<()> {
    Ok(ptrace::traceme()?)
}

/// How far a command has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its loader is at work.
    Loading,
    /// It stands at its entry, and waits for [`Loading::release`].
    Entered,
    /// It has ended before.
    Ended,
}

/// A command whose loader is at work. All of it is for the thread that has started the command.
#[derive(Debug)]
pub(super) struct Loading {
    pid: Pid,
    breakpoint: Option<Breakpoint>,
    entered: bool,
}

#[derive(Debug)]
struct Breakpoint {
    address: u64,
    covered: [u8; TRAP.len()],
}

impl Loading {
    /// Of a child that has [asked](ask) and executed its program.
    pub(super) const fn of(pid: Pid) -> Self {
        Self { pid, breakpoint: None, entered: false }
    }

    /// Looks at what has become of it since it was last looked at, and has it go on to its entry.
    ///
    /// # Errors
    /// It cannot be traced any more.
    pub(super) fn advance(&mut self) -> io::Result<Progress> {
        if self.entered {
            return Ok(Progress::Entered);
        }
        // Whoever waits for its end is to find it.
        let flags =
            WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        loop {
            let (signal, event) = match waitid(Id::Pid(self.pid), flags)? {
                WaitStatus::StillAlive => return Ok(Progress::Loading),
                WaitStatus::PtraceEvent(_, signal, event) => (signal, event),
                WaitStatus::Stopped(_, signal) => (signal, 0),
                _ => return Ok(Progress::Ended),
            };
            let executed = event == Event::PTRACE_EVENT_EXEC as i32;
            if signal == Signal::SIGTRAP && (executed || self.breakpoint.is_none()) {
                // Whoever dies meanwhile takes the command along: it would run into the breakpoint.
                ptrace::setoptions(self.pid, Options::PTRACE_O_EXITKILL | Options::PTRACE_O_TRACEEXEC)?;
                self.breakpoint = Some(self.cover(self.entry()?)?);
                ptrace::cont(self.pid, None)?;
            } else if signal == Signal::SIGTRAP && event == 0 && self.is_there()? {
                self.uncover()?;
                self.entered = true;
                return Ok(Progress::Entered);
            } else {
                ptrace::cont(self.pid, Some(signal).filter(|_| event == 0))?;
            }
        }
    }

    /// Lets it go.
    ///
    /// # Errors
    /// ptrace(2)'s; none if it was killed meanwhile.
    pub(super) fn release(mut self) -> io::Result<()> {
        // It is there no more, unless something went wrong.
        let _ = self.uncover();
        match ptrace::detach(self.pid, None) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Its entry point, as the kernel tells its loader.
    fn entry(&self) -> io::Result<u64> {
        // `EI_CLASS`: the kernel writes the vector in the program's own words.
        let mut ident = [0; 5];
        File::open(format!("/proc/{}/exe", self.pid))?.read_exact(&mut ident)?;
        let size = if ident[4] == 1 { 4 } else { 8 };
        let vector = fs::read(format!("/proc/{}/auxv", self.pid))?;
        let word = |bytes: &[u8]| {
            let mut whole = [0; 8];
            whole[..size].copy_from_slice(bytes);
            u64::from_le_bytes(whole)
        };
        let mut pairs = vector.chunks_exact(2 * size);
        let entry = pairs.find(|pair| word(&pair[..size]) == AT_ENTRY).map(|pair| word(&pair[size..]));
        entry.ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the kernel does not tell its entry point"))
    }

    /// Its memory, of which also what it must not write itself can be written so.
    fn memory(&self) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(format!("/proc/{}/mem", self.pid))
    }

    fn cover(&self, address: u64) -> io::Result<Breakpoint> {
        let (memory, mut covered) = (self.memory()?, [0; TRAP.len()]);
        memory.read_exact_at(&mut covered, address)?;
        memory.write_all_at(&TRAP, address)?;
        Ok(Breakpoint { address, covered })
    }

    /// Puts back what was there, and the thread in front of it.
    fn uncover(&mut self) -> io::Result<()> {
        let Some(Breakpoint { address, covered }) = self.breakpoint.take() else { return Ok(()) };
        self.memory()?.write_all_at(&covered, address)?;
        #[cfg(target_arch = "x86_64")]
        {
            let mut registers = ptrace::getregs(self.pid)?;
            registers.rip = address;
            ptrace::setregs(self.pid, registers)?;
        }
        Ok(())
    }

    /// Is it the breakpoint that it stopped at? On x86 the thread is behind it, on arm64 at it.
    fn is_there(&self) -> io::Result<bool> {
        let Some(Breakpoint { address, .. }) = &self.breakpoint else { return Ok(false) };
        #[cfg(target_arch = "x86_64")]
        let at = ptrace::getregs(self.pid)?.rip.wrapping_sub(TRAP.len() as u64);
        #[cfg(target_arch = "aarch64")]
        let at = ptrace::getregset::<ptrace::regset::NT_PRSTATUS>(self.pid)?.pc;
        Ok(at == *address)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader},
        os::unix::process::CommandExt as _,
        process::{Command, Stdio},
        thread,
        time::{Duration, Instant},
    };

    use super::*;

    /// Until it has entered or ended.
    fn arrived(loading: &mut Loading) -> Progress {
        let start = Instant::now();
        loop {
            match loading.advance().unwrap() {
                Progress::Loading => thread::sleep(Duration::from_millis(1)),
                progress => return progress,
            }
            assert!(start.elapsed() < Duration::from_secs(30));
        }
    }

    #[test]
    fn a_program_stands_at_its_entry_with_its_libraries_loaded() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo entered; exit 7"]).stdout(Stdio::piped());
        // SAFETY: ptrace(2) is async-signal-safe.
        unsafe { command.pre_exec(ask) };
        let mut child = command.spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let mut loading = Loading::of(pid);
        assert_eq!(arrived(&mut loading), Progress::Entered);
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        assert!(maps.contains("libc"), "{maps}");
        assert_eq!(loading.advance().unwrap(), Progress::Entered, "it does not go on by itself");
        loading.release().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!((said.as_str(), child.wait().unwrap().code()), ("entered\n", Some(7)));
    }

    #[test]
    fn a_program_that_ends_in_its_loader_is_left_to_who_waits() {
        let mut command = Command::new("true");
        command.env("LD_PRELOAD", "").env("LD_TRACE_LOADED_OBJECTS", "1").stdout(Stdio::null());
        // SAFETY: as above.
        unsafe { command.pre_exec(ask) };
        let mut child = command.spawn().unwrap();
        let mut loading = Loading::of(Pid::from_raw(child.id().cast_signed()));
        assert_eq!(arrived(&mut loading), Progress::Ended);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}
