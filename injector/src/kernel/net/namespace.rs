//! Network namespaces: those in which a target lives, and doing something inside one.
//!
//! A namespace belongs to a thread, so whatever is done inside one is done on a thread of its own, which
//! ends with it; no other thread ever leaves its own.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    path::Path,
    thread,
};

use nix::sched::{CloneFlags, setns, unshare};

use crate::{kernel::net::error::PacketError, target::Procfs};

/// A network namespace, held open: it lives on as long as this, also without any process.
#[derive(Debug)]
pub struct NetNs {
    inode: u64,
    file: File,
}

impl NetNs {
    /// The one that a process lives in; `NotFound` in the error when the process has ended.
    ///
    /// # Errors
    /// [`PacketError`]: the process has ended, or may not be looked at.
    pub fn of(pid: u32, procfs: &Procfs) -> Result<Self, PacketError> {
        let failed = |source| PacketError::Open { pid, source };
        let file = File::open(procfs.path(format!("{pid}/ns/net"))).map_err(failed)?;
        let inode = file.metadata().map_err(failed)?.ino();
        Ok(Self { inode, file })
    }

    /// The one that is mounted at `point`, which has that inode number; `None` if something else is there by now.
    fn at(point: &Path, inode: u64) -> Option<Self> {
        let file = File::open(point).ok()?;
        (file.metadata().ok()?.ino() == inode).then_some(Self { inode, file })
    }

    /// A new one, with nothing but a loopback device that is down. It ends with this.
    ///
    /// # Errors
    /// [`PacketError`]: unshare(2) fails: a right is missing, or the limit of namespaces is reached.
    pub fn fresh() -> Result<Self, PacketError> {
        let failed = |source| PacketError::Enter { inode: 0, source };
        let file = in_a_fresh_one(|| File::open("/proc/thread-self/ns/net"))?.map_err(failed)?;
        let inode = file.metadata().map_err(failed)?.ino();
        Ok(Self { inode, file })
    }

    /// Its inode number, by which `readlink /proc/PID/ns/net` and `lsns` name it.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Does something inside and gives its result.
    ///
    /// # Errors
    /// [`PacketError`]: no thread can be started, or it cannot enter the namespace (setns(2)).
    pub fn run<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> Result<T, PacketError> {
        on_a_thread(self.inode, || setns(&self.file, CloneFlags::CLONE_NEWNET), inside)
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Does something inside a new network namespace, which has only a loopback device and is gone when
/// this returns.
///
/// # Errors
/// [`PacketError`]: as [`NetNs::fresh`] and [`NetNs::run`].
pub fn in_a_fresh_one<T: Send>(inside: impl FnOnce() -> T + Send) -> Result<T, PacketError> {
    on_a_thread(0, || unshare(CloneFlags::CLONE_NEWNET), inside)
}

fn on_a_thread<T: Send>(
    inode: u64,
    enter: impl FnOnce() -> nix::Result<()> + Send,
    inside: impl FnOnce() -> T + Send,
) -> Result<T, PacketError> {
    let failed = |source| PacketError::Enter { inode, source };
    thread::scope(|scope| {
        let started = thread::Builder::new()
            .name("injector-netns".into())
            .spawn_scoped(scope, || enter().map(|()| inside()))
            .map_err(failed)?;
        match started.join() {
            Ok(result) => result.map_err(|error| failed(error.into())),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The network namespaces of some processes, each once, by inode number. Processes that ended are
/// passed over.
///
/// # Errors
/// [`PacketError`]: one that exists cannot be opened.
pub fn namespaces_of(
    pids: impl IntoIterator<Item = u32>,
    procfs: &Procfs,
) -> Result<BTreeMap<u64, NetNs>, PacketError> {
    let mut found = BTreeMap::new();
    for pid in pids {
        // A process that ends between the look-up of its folder and that of the link in it makes the kernel say
        // EACCES (fs/proc/namespaces.c, proc_ns_get_link); asked again it says what is true.
        let opened = match NetNs::of(pid, procfs) {
            Err(PacketError::Open { source, .. }) if source.raw_os_error() == Some(libc::EACCES) => {
                NetNs::of(pid, procfs)
            }
            other => other,
        };
        match opened {
            Ok(namespace) => _ = found.entry(namespace.inode).or_insert(namespace),
            // A zombie has the file but no namespace any more, and opening it says ENOENT (fs/nsfs.c).
            Err(PacketError::Open { source, .. }) if has_ended(&source) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The network namespaces that are mounted where we see it, by inode number: they live on without processes.
pub(super) fn mounted_namespaces(procfs: &Procfs) -> io::Result<BTreeMap<u64, NetNs>> {
    let mounts = procfs.mounts()?;
    let inodes = mounts.iter().filter(|mount| mount.kind == "nsfs").filter_map(|mount| {
        let inode = mount.root.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()?;
        Some((inode, NetNs::at(&mount.point, inode)?))
    });
    Ok(inodes.collect())
}

fn has_ended(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_namespace_once() {
        let tree = tempfile::tempdir().unwrap();
        let procfs = Procfs::at(tree.path());
        for pid in [10, 11, 12] {
            fs::create_dir_all(tree.path().join(format!("{pid}/ns"))).unwrap();
        }
        fs::write(tree.path().join("10/ns/net"), "").unwrap();
        fs::write(tree.path().join("12/ns/net"), "").unwrap();
        fs::hard_link(tree.path().join("10/ns/net"), tree.path().join("11/ns/net")).unwrap();
        let found = namespaces_of([10, 11, 12, 13], &procfs).unwrap();
        assert_eq!(found.len(), 2);
        let inode = fs::metadata(tree.path().join("11/ns/net")).unwrap().ino();
        assert_eq!(found[&inode].inode(), inode);
    }

    #[test]
    fn a_refusal_names_the_namespace() {
        let error = on_a_thread(7, || Err(nix::Error::EPERM), || ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot enter network namespace 7: Operation not permitted (os error 1)"
        );
        assert!(error.hint().contains("CAP_SYS_ADMIN"));
        assert_eq!(on_a_thread(7, || Ok(()), || 3).unwrap(), 3);
    }
}
