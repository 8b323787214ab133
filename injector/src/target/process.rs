//! A process as a target, with all its descendants. Everybody is held by a pidfd, which goes on
//! naming the same process when its number is given to another.

use std::{
    collections::{HashMap, HashSet},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::target::{
    error::ProcessError,
    procfs::{Procfs, Stat},
};

/// `PF_KTHREAD` (include/linux/sched.h): a thread of the kernel.
const PF_KTHREAD: u32 = 0x0020_0000;

/// Inode number of the initial pid namespace: `PROC_PID_INIT_INO` (include/linux/proc_ns.h).
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// A process, held open.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    stat: Stat,
    pidfd: OwnedFd,
    procfs: Procfs,
}

/// Whether the machine's process 1 may be a target: only with `--unsafe`. A container's own is one like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// Refuse it.
    Refused,
    /// Take it like any other.
    Allowed,
}

impl Process {
    /// Opens the process of that number in the caller's pid namespace.
    ///
    /// # Errors
    /// [`ProcessError`]: there is no such process, it is this one, a thread, process 1 or a kernel thread, or
    /// it may not be opened.
    pub fn open(pid: u32, init: Init, procfs: &Procfs) -> Result<Self, ProcessError> {
        if pid == std::process::id() {
            return Err(ProcessError::Ourselves(pid));
        }
        if pid == 1 && init == Init::Refused && in_initial_pid_namespace(procfs).unwrap_or(true) {
            return Err(ProcessError::Init);
        }
        let process = Self::hold(pid, procfs)?;
        if process.stat.flags & PF_KTHREAD != 0 {
            return Err(ProcessError::KernelThread { pid, comm: process.stat.comm });
        }
        Ok(process)
    }

    /// Opens the pidfd first: what is read from procfs after it, while it still lives, is about it.
    fn hold(pid: u32, procfs: &Procfs) -> Result<Self, ProcessError> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(ProcessError::Gone(pid))?;
        let pidfd =
            pidfd_open(number, PidfdFlags::empty()).map_err(|error| match procfs.thread_group(pid) {
                Ok(process) if process != pid => ProcessError::Thread { tid: pid, process },
                _ if error == rustix::io::Errno::SRCH => ProcessError::Gone(pid),
                _ => ProcessError::System { verb: "open", pid, source: error.into() },
            })?;
        let stat = procfs.stat(pid).map_err(|source| match source.kind() {
            // The pidfd was had: without procfs nothing else can be read of it.
            io::ErrorKind::NotFound if procfs.path("self").exists() => ProcessError::Gone(pid),
            _ => ProcessError::System { verb: "read the state of", pid, source },
        })?;
        if has_ended(pidfd.as_fd()) {
            return Err(ProcessError::Gone(pid));
        }
        Ok(Self { pid, stat, pidfd, procfs: procfs.clone() })
    }

    /// Its number in the caller's pid namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The same process once more.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        let (stat, procfs) = (self.stat.clone(), self.procfs.clone());
        Ok(Self { pid: self.pid, stat, pidfd: self.pidfd.try_clone()?, procfs })
    }

    /// When it started, in clock ticks since boot: with the number it names a process for good.
    pub(crate) fn started(&self) -> u64 {
        self.stat.start
    }

    /// Was it stopped, by a signal or a debugger, when it was opened?
    pub(crate) fn was_stopped(&self) -> bool {
        self.stat.stopped
    }

    /// Its name, up to 15 bytes.
    pub fn comm(&self) -> &str {
        &self.stat.comm
    }

    /// The pidfd.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Whether the process itself has ended; descendants of it may live on.
    pub fn is_gone(&self) -> bool {
        has_ended(self.pidfd())
    }

    /// The process that asks: never a target, but to be told from all others.
    ///
    /// # Errors
    /// [`ProcessError`]: this process cannot open itself, for want of descriptors or of `/proc`.
    pub fn own(procfs: &Procfs) -> Result<Self, ProcessError> {
        Self::hold(std::process::id(), procfs)
    }

    /// Everybody who descends from it now, held open, parents and elder siblings first, without itself and
    /// without the injector.
    ///
    /// A process that is born during the snapshot is caught only if its parent is: whoever needs
    /// every one watches forks before taking it. One whose parent ended before the snapshot is
    /// init's child (or a subreaper's) and no longer a descendant that anybody could tell.
    ///
    /// # Errors
    /// [`ProcessError`]: `/proc` cannot be listed, or no descriptor is left. Processes that end meanwhile are
    /// no error.
    pub fn descendants(&self) -> Result<Vec<Self>, ProcessError> {
        let failed = |source| ProcessError::System { verb: "list the descendants of", pid: self.pid, source };
        let mut found: HashMap<u32, Self> = HashMap::new();
        let mut order = Vec::new();
        // Numbers are listed in ascending order, and a child can have a lower one than its parent. So look again
        // until nothing new appears.
        loop {
            let states = snapshot(&self.procfs).map_err(failed)?;
            let before = found.len();
            for pid in tree_below(self.pid, &states) {
                if pid == std::process::id() || found.contains_key(&pid) {
                    continue;
                }
                match Self::hold(pid, &self.procfs) {
                    Ok(held) if states.get(&pid).is_some_and(|seen| seen.start == held.stat.start) => {
                        found.insert(pid, held);
                        order.push(pid);
                    }
                    // Ended, or the number is another's by now.
                    Ok(_) | Err(ProcessError::Gone(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            if found.len() == before {
                return Ok(order.iter().filter_map(|pid| found.remove(pid)).collect());
            }
        }
    }
}

/// State of every process that there is.
fn snapshot(procfs: &Procfs) -> io::Result<HashMap<u32, Stat>> {
    let mut states = HashMap::new();
    for pid in procfs.pids()? {
        match procfs.stat(pid) {
            Ok(stat) => _ = states.insert(pid, stat),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(states)
}

/// All that descend from `root` by their parents' numbers, parents first.
fn tree_below(root: u32, states: &HashMap<u32, Stat>) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (&pid, stat) in states {
        children.entry(stat.parent).or_default().push(pid);
    }
    // In the order in which they were born, so that two looks at the same tree agree.
    for born in children.values_mut() {
        born.sort_by_key(|pid| (states.get(pid).map(|stat| stat.start), *pid));
    }
    let mut seen = HashSet::from([root]);
    let mut order = vec![root];
    let mut next = 0;
    while let Some(parent) = order.get(next) {
        let born = children.get(parent).into_iter().flatten().copied().filter(|&pid| seen.insert(pid));
        order.extend(born.collect::<Vec<_>>());
        next += 1;
    }
    order.split_off(1)
}

/// A pidfd is readable once the process is a zombie or gone (pidfd_open(2)).
fn has_ended(pidfd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::POLLIN)];
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(ready) if ready > 0)
}

/// Whether the caller is in the machine's first pid namespace, where numbers are those of BPF.
///
/// # Errors
/// `/proc/self/ns/pid` cannot be read.
pub fn in_initial_pid_namespace(procfs: &Procfs) -> io::Result<bool> {
    Ok(procfs.pid_namespace()? == INITIAL_PID_NAMESPACE)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn stat(parent: u32) -> Stat {
        Stat { comm: "x".into(), parent, flags: 0, stopped: false, start: 1 }
    }

    #[test]
    fn a_tree_by_its_parents() {
        let states = HashMap::from([(1, stat(0)), (10, stat(1)), (5, stat(10)), (6, stat(5)), (7, stat(1))]);
        assert_eq!(tree_below(10, &states), [5, 6]);
        assert_eq!(tree_below(99, &states), Vec::<u32>::new());
        let circle = HashMap::from([(2, stat(3)), (3, stat(2))]);
        assert_eq!(tree_below(2, &circle), [3], "numbers that were reused during the snapshot");
    }

    #[test]
    fn refusals_name_their_reason() {
        let procfs = Procfs::default();
        let open = |pid| Process::open(pid, Init::Refused, &procfs);
        assert!(matches!(open(1), Err(ProcessError::Init)));
        assert!(matches!(open(std::process::id()), Err(ProcessError::Ourselves(_))));
        assert!(matches!(open(0), Err(ProcessError::Gone(0))));
        assert!(matches!(open(u32::MAX), Err(ProcessError::Gone(_))));
        assert_eq!(Process::open(1, Init::Allowed, &procfs).unwrap().pid(), 1);
    }

    #[test]
    fn a_thread_is_not_a_process() {
        let own = std::process::id();
        std::thread::spawn(move || {
            let tid = u32::try_from(nix::unistd::gettid().as_raw()).unwrap();
            match Process::open(tid, Init::Refused, &Procfs::default()) {
                Err(ProcessError::Thread { tid: seen, process }) => assert_eq!((seen, process), (tid, own)),
                other => panic!("{other:?}"),
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn children_and_grandchildren_of_a_shell() {
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 60 & sh -c 'sleep 60; :' & wait"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let procfs = Procfs::default();
        let process = Process::open(shell.id(), Init::Refused, &procfs).unwrap();
        let sleepers = |found: &[Process]| found.iter().filter(|one| one.comm() == "sleep").count();
        let mut found = Vec::new();
        for _ in 0..500 {
            found = process.descendants().unwrap();
            if sleepers(&found) == 2 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!((sleepers(&found), found.len()), (2, 3));
        assert!(!process.is_gone());
        for one in &found {
            rustix::process::pidfd_send_signal(one.pidfd(), rustix::process::Signal::KILL).unwrap();
        }
        shell.wait().unwrap();
        assert!(process.is_gone());
        assert!(matches!(Process::open(shell.id(), Init::Refused, &procfs), Err(ProcessError::Gone(_))));
    }

    #[test]
    fn the_pid_namespace_is_told_by_its_inode() {
        in_initial_pid_namespace(&Procfs::default()).unwrap();
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("self/ns")).unwrap();
        std::fs::write(tree.path().join("self/ns/pid"), "").unwrap();
        assert!(!in_initial_pid_namespace(&Procfs::at(tree.path())).unwrap());
    }
}
