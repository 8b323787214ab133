//! The fresh cgroup in which a command is started, and the clean-up of those whose injector died.
//!
//! Such a cgroup is told from all others by its name and an extended attribute, and an abandoned one
//! by the lock on its directory, which the kernel lets go of with the injector, however it ends.

use std::{
    fs::{self, File},
    hash::{BuildHasher, RandomState},
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, XattrFlags, fgetxattr, flock, fsetxattr};

use crate::target::{
    cgroup::{Cgroup, directories_below, vanished},
    error::CgroupError,
    hierarchy::Hierarchy,
    procfs::Procfs,
};

/// Followed by eight hexadecimal digits.
const PREFIX: &str = "injector-run-";

/// The `user` class needs no capability, and cgroup2 has had it since Linux 5.7
/// (`KERNFS_ROOT_SUPPORT_USER_XATTR`, kernel/cgroup/cgroup.c).
const MARK: &str = "user.injector";

/// The value says what the cgroup is for.
const MARK_VALUE: &[u8] = b"run";

/// How many names are tried: each is lost only to another injector that takes or sweeps that very one.
const ATTEMPTS: usize = 16;

/// Where the cgroup of a command was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// Below the caller's own, whose limits go on to hold.
    BelowOwn,
    /// Below the root of the hierarchy's mount, outside of the caller's limits.
    BelowRoot {
        /// Why it could not be below the caller's own.
        reason: String,
    },
}

/// What became of a command's cgroup at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Removed,
    /// The command left processes behind in it: the first start of injector after they ended removes it.
    StillInUse {
        /// The cgroup.
        path: PathBuf,
        /// The processes.
        pids: Vec<u32>,
    },
}

/// Makes and locks a fresh cgroup: below the caller's own, or else below the root of the mount.
pub(crate) fn make(hierarchy: &Hierarchy, procfs: &Procfs) -> Result<(Cgroup, Placement), CgroupError> {
    let name = procfs
        .own_cgroup()
        .map_err(|source| CgroupError::Read { path: procfs.path("self/cgroup"), source })?;
    let mount = hierarchy.mount_point();
    let reason = match name.and_then(|name| hierarchy.locate(&name)) {
        None => format!("the caller's own cgroup is not below {}", mount.display()),
        Some(own) => match make_below(&own, hierarchy) {
            Ok(cgroup) => return Ok((cgroup, Placement::BelowOwn)),
            Err(error) if own == mount => return Err(error),
            Err(error) => error.to_string(),
        },
    };
    Ok((make_below(mount, hierarchy)?, Placement::BelowRoot { reason }))
}

fn make_below(parent: &Path, hierarchy: &Hierarchy) -> Result<Cgroup, CgroupError> {
    let failed = |source| CgroupError::Make { parent: parent.to_path_buf(), source };
    for _ in 0..ATTEMPTS {
        let path = parent.join(format!("{PREFIX}{:08x}", random()));
        match fs::create_dir(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(failed(error)),
        }
        // Between these steps another injector that is just starting may take it for an abandoned one.
        let cgroup = match Cgroup::open(&path, hierarchy) {
            Err(CgroupError::Missing { .. }) => continue,
            opened => opened?,
        };
        let checked = match lock(&cgroup) {
            Ok(true) if !cgroup.is_gone() => usable(&cgroup),
            Ok(_) => continue,
            Err(error) => Err(error),
        };
        if let Err(error) = checked {
            // It was made a moment ago and nobody can be in it.
            let _ = fs::remove_dir(&path);
            return Err(failed(error));
        }
        return Ok(cgroup);
    }
    Err(failed(io::ErrorKind::AlreadyExists.into()))
}

/// Takes the lock on a cgroup's directory, unless somebody has it. A kernel built without
/// CONFIG_FILE_LOCKING has no locks: there a cgroup counts as abandoned whenever it is empty, and an
/// injector that starts in the very moment between another's mkdir and its command can take it away.
fn lock(directory: impl AsFd) -> io::Result<bool> {
    match flock(directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) | Err(rustix::io::Errno::NOSYS) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Marks it, and makes sure that processes can be in it: not so below a threaded cgroup
/// (`domain invalid`, Documentation/admin-guide/cgroup-v2.rst).
fn usable(cgroup: &Cgroup) -> io::Result<()> {
    fsetxattr(cgroup, MARK, MARK_VALUE, XattrFlags::CREATE)?;
    match fs::read_to_string(cgroup.path().join("cgroup.type"))?.trim() {
        "domain" => Ok(()),
        other => Err(io::Error::other(format!("it would be of type `{other}`, which holds no processes"))),
    }
}

/// Removes it if nobody is left in it.
pub(crate) fn remove(cgroup: &Cgroup) -> Result<Removal, CgroupError> {
    let path = cgroup.path();
    let empty = || matches!(value(path, "cgroup.events", "populated"), Ok(Some(0)));
    match fs::remove_dir(path) {
        Ok(()) => Ok(Removal::Removed),
        Err(error) if vanished(&error) => Ok(Removal::Removed),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
            if empty() && remove_tree(path).is_ok() {
                return Ok(Removal::Removed);
            }
            Ok(Removal::StillInUse { path: path.to_path_buf(), pids: cgroup.pids()? })
        }
        Err(source) => Err(CgroupError::Remove { path: path.to_path_buf(), source }),
    }
}

/// Removes a cgroup of ours in which nobody lives, and first those that its processes made below it.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    for below in directories_below(path)?.into_iter().rev() {
        match fs::remove_dir(below) {
            Err(error) if !vanished(&error) => return Err(error),
            _ => {}
        }
    }
    fs::remove_dir(path)
}

/// Removes what earlier injectors were killed too early to remove: those of the cgroups in `directories`, parents first,
/// that are ours, are empty, and are held by no living injector. Gives their paths.
///
/// # Errors
/// [`CgroupError`]: an empty cgroup cannot be removed.
pub fn sweep(directories: &[PathBuf]) -> Result<Vec<PathBuf>, CgroupError> {
    let mut removed = Vec::new();
    // Deepest first: a command that was an injector itself has such a cgroup below its own.
    for path in directories.iter().rev().filter(|path| is_our_name(path)) {
        match sweep_one(path) {
            Ok(true) => removed.push(path.clone()),
            Ok(false) => {}
            Err(error) if vanished(&error) => {}
            Err(source) => return Err(CgroupError::Remove { path: path.clone(), source }),
        }
    }
    Ok(removed)
}

fn sweep_one(path: &Path) -> io::Result<bool> {
    let directory = File::open(path)?;
    if !lock(&directory)?
        || value(path, "cgroup.events", "populated")? != Some(0)
        || !(is_marked(&directory) || value(path, "cpu.stat", "usage_usec")? == Some(0))
    {
        return Ok(false);
    }
    match remove_tree(path) {
        Ok(()) => Ok(true),
        // Somebody moved in.
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Ok(false),
        Err(error) => Err(error),
    }
}

/// An unmarked one of our name is ours, too, if no process was ever in it: its injector was killed
/// right after mkdir.
fn is_marked(directory: &impl AsFd) -> bool {
    let mut value = [0; MARK_VALUE.len() + 1];
    matches!(fgetxattr(directory, MARK, &mut value[..]), Ok(length) if &value[..length] == MARK_VALUE)
}

fn is_our_name(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()?.strip_prefix(PREFIX)).is_some_and(|tail| {
        tail.len() == 8 && tail.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// One number of a flat keyed file.
fn value(path: &Path, file: &str, key: &str) -> io::Result<Option<u64>> {
    let text = fs::read_to_string(path.join(file))?;
    Ok(text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok()))
}

/// The keys of the standard library's hash maps come from the kernel's random source.
fn random() -> u32 {
    (RandomState::new().hash_one(()) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_are_ours() {
        assert!(is_our_name(Path::new("/cg/injector-run-0a1b2c3d")));
        for other in
            ["injector-run-", "injector-run-0a1b2c3", "injector-run-0A1b2c3d", "injector-run-0a1b2c3d4", "x"]
        {
            assert!(!is_our_name(&Path::new("/cg").join(other)), "{other}");
        }
        assert!(!is_our_name(Path::new("/cg/injector-run-0a1b2c3d/below")));
    }

    #[test]
    fn numbers_of_flat_keyed_files() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("cgroup.events"), "populated 0\nfrozen 1\n").unwrap();
        assert_eq!(value(tree.path(), "cgroup.events", "populated").unwrap(), Some(0));
        assert_eq!(value(tree.path(), "cgroup.events", "frozen").unwrap(), Some(1));
        assert_eq!(value(tree.path(), "cgroup.events", "froz").unwrap(), None);
        assert!(vanished(&value(tree.path(), "cpu.stat", "usage_usec").unwrap_err()));
    }

    #[test]
    fn names_differ() {
        assert_ne!((random(), random()), (random(), random()));
    }

    /// An ordinary directory stands for a cgroup: locks and removal are the same.
    #[test]
    fn a_locked_or_populated_one_is_left_alone() {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().join("injector-run-00000000");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("cpu.stat"), "usage_usec 0\n").unwrap();
        fs::write(path.join("cgroup.events"), "populated 1\n").unwrap();
        assert!(!sweep_one(&path).unwrap(), "populated");
        fs::write(path.join("cgroup.events"), "populated 0\n").unwrap();
        let holder = File::open(&path).unwrap();
        flock(&holder, FlockOperation::LockExclusive).unwrap();
        assert!(!sweep_one(&path).unwrap(), "locked");
        fs::write(path.join("cpu.stat"), "usage_usec 17\n").unwrap();
        drop(holder);
        assert!(!sweep_one(&path).unwrap(), "somebody else's: no mark, and it was used");
        fs::write(path.join("cpu.stat"), "usage_usec 0\n").unwrap();
        let refused = sweep_one(&path).unwrap_err();
        assert_eq!(
            refused.raw_os_error(),
            Some(libc::ENOTEMPTY),
            "reached the removal: an ordinary directory has files"
        );
    }
}
