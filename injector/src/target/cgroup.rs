//! A version 2 cgroup as a target: the directory, held open, so that it stays the same one even if
//! its name is used again; its id, which BPF sees; and all that is below it.

use std::{
    fs::{self, File},
    io,
    mem::{self, MaybeUninit},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use crate::target::{
    error::CgroupError,
    hierarchy::{Hierarchy, Kind, kind_of},
    name::Name,
};

/// `FILEID_KERNFS` (include/linux/exportfs.h): the file handle is the 64-bit id of the node.
const FILEID_KERNFS: libc::c_int = 0xfe;

/// Size of such a handle.
const ID_BYTES: libc::c_uint = (u64::BITS / 8) as libc::c_uint;

/// An open version 2 cgroup.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    name: PathBuf,
    directory: File,
    id: u64,
    called: Option<Name>,
}

/// A cgroup below a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descendant {
    /// Its id, as `bpf_get_current_cgroup_id` returns it.
    pub id: u64,
    /// Its absolute path.
    pub path: PathBuf,
}

impl Cgroup {
    /// Opens a cgroup by its absolute path, by its name as `/proc/PID/cgroup` prints it
    /// (`/system.slice/x`), or by a directory relative to the working directory or to the mount.
    ///
    /// # Errors
    /// [`CgroupError`]: there is no such cgroup, it belongs to a version 1 hierarchy, or it may not be
    /// opened.
    pub fn open(path: &Path, hierarchy: &Hierarchy) -> Result<Self, CgroupError> {
        let mount = hierarchy.mount_point().to_path_buf();
        let named = hierarchy.locate(&Path::new("/").join(path));
        // `/` and the like exist as directories, too: what is no cgroup may still be a cgroup's name.
        let mut refusal = None;
        for candidate in [Some(path.to_path_buf()), named, hierarchy.below(path)].into_iter().flatten() {
            match kind_of(&candidate) {
                Ok(Kind::Version2) => return Self::at(&candidate, hierarchy),
                Ok(Kind::Version1) => _ = refusal.get_or_insert(CgroupError::Version1(candidate)),
                Ok(Kind::Other) => _ = refusal.get_or_insert(CgroupError::NotACgroup(candidate)),
                Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ENODEV) => {}
                Err(error) => return Err(CgroupError::Read { path: candidate, source: error.into() }),
            }
        }
        Err(refusal.unwrap_or(CgroupError::Missing { path: path.to_path_buf(), mount }))
    }

    pub(super) fn at(path: &Path, hierarchy: &Hierarchy) -> Result<Self, CgroupError> {
        let mount = hierarchy.mount_point().to_path_buf();
        let failed = |source| {
            let path = path.to_path_buf();
            if vanished(&source) {
                CgroupError::Missing { path, mount: mount.clone() }
            } else {
                CgroupError::Read { path, source }
            }
        };
        let path = fs::canonicalize(path).map_err(failed)?;
        let name = hierarchy
            .name(&path)
            .ok_or_else(|| CgroupError::OtherMount { path: path.clone(), mount: mount.clone() })?;
        let directory = File::open(&path).map_err(failed)?;
        if !directory.metadata().map_err(failed)?.is_dir() {
            return Err(CgroupError::NotACgroup(path));
        }
        let id = node_id(directory.as_fd(), Path::new("")).map_err(failed)?;
        Ok(Self { path, name, directory, id, called: None })
    }

    /// The same cgroup once more.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        let directory = self.directory.try_clone()?;
        let (path, name, called) = (self.path.clone(), self.name.clone(), self.called.clone());
        Ok(Self { path, name, directory, id: self.id, called })
    }

    /// The same, called by that name.
    pub(super) fn named(self, name: Name) -> Self {
        Self { called: Some(name), ..self }
    }

    /// What the user calls it, if not by its path.
    pub fn called(&self) -> Option<&Name> {
        self.called.as_ref()
    }

    /// Whether a cgroup of this name, as `/proc/PID/cgroup` prints it, is this one or below it.
    pub(crate) fn holds(&self, name: &Path) -> bool {
        name.starts_with(&self.name)
    }

    /// The id of the node, as `bpf_get_current_cgroup_id` returns it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Name as `/proc/PID/cgroup` prints it.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Whether this is the root of the machine's hierarchy: all processes. The root of a cgroup
    /// namespace is not: only the true root lacks this file (Documentation/admin-guide/cgroup-v2.rst).
    pub fn is_root(&self) -> bool {
        !self.is_gone() && self.missing("cgroup.events")
    }

    /// Whether it was removed since it was opened. A new one of the same name is another one.
    pub fn is_gone(&self) -> bool {
        self.missing("cgroup.procs")
    }

    /// Whether a process lives in it or below. The root, which does not say so, has some.
    pub fn is_populated(&self) -> bool {
        if self.is_gone() {
            return false;
        }
        let events = fs::read_to_string(self.path.join("cgroup.events"));
        events.map_or(true, |events| !events.lines().any(|line| line == "populated 0"))
    }

    /// The cgroup that has the path now, once this one was removed; `None` if there is none.
    ///
    /// # Errors
    /// [`CgroupError`]: there is one, and it may not be opened.
    pub fn successor(&self, hierarchy: &Hierarchy) -> Result<Option<Self>, CgroupError> {
        match Self::at(&self.path, hierarchy) {
            Ok(found) => Ok((found.id != self.id).then_some(Self { called: self.called.clone(), ..found })),
            Err(CgroupError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn missing(&self, file: &str) -> bool {
        let found = nix::unistd::faccessat(
            &self.directory,
            file,
            nix::unistd::AccessFlags::F_OK,
            nix::fcntl::AtFlags::empty(),
        );
        matches!(found, Err(Errno::ENOENT | Errno::ENODEV))
    }

    /// All cgroups below, at any depth, without this one. Those that are removed meanwhile are left out.
    ///
    /// # Errors
    /// [`CgroupError`]: a directory cannot be listed.
    pub fn descendants(&self) -> Result<Vec<Descendant>, CgroupError> {
        if self.is_gone() {
            // Whatever has its path now is another one.
            return Ok(Vec::new());
        }
        let paths = directories_below(&self.path)
            .map_err(|source| CgroupError::Read { path: self.path.clone(), source })?;
        let mut found = Vec::with_capacity(paths.len());
        for path in paths {
            match node_id(nix::fcntl::AT_FDCWD, &path) {
                Ok(id) => found.push(Descendant { id, path }),
                Err(error) if vanished(&error) => {}
                Err(source) => return Err(CgroupError::Read { path, source }),
            }
        }
        Ok(found)
    }

    /// Numbers of all processes in it and below. Members of a threaded cgroup are given as threads.
    ///
    /// # Errors
    /// [`CgroupError`]: a `cgroup.procs` cannot be read.
    pub fn pids(&self) -> Result<Vec<u32>, CgroupError> {
        if self.is_gone() {
            return Ok(Vec::new());
        }
        let mut pids = members(&self.path)?;
        for Descendant { path, .. } in self.descendants()? {
            pids.extend(members(&path)?);
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }
}

impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// The directories of all cgroups below the root, parents first.
///
/// # Errors
/// [`CgroupError`]: the hierarchy cannot be walked.
pub fn all(hierarchy: &Hierarchy) -> Result<Vec<PathBuf>, CgroupError> {
    let top = hierarchy.mount_point();
    directories_below(top).map_err(|source| CgroupError::Read { path: top.to_path_buf(), source })
}

/// Directories below `top` at any depth, parents first; what vanishes meanwhile is left out.
pub(crate) fn directories_below(top: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![top.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if vanished(&error) => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            match entry.and_then(|entry| Ok((entry.file_type()?, entry.path()))) {
                Ok((kind, path)) if kind.is_dir() => {
                    found.push(path.clone());
                    waiting.push(path);
                }
                Ok(_) => {}
                Err(error) if vanished(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

/// Processes of one cgroup, as `cgroup.procs` lists them; a threaded one refuses that with
/// EOPNOTSUPP (kernel/cgroup/cgroup.c, `cgroup_procs_start`) and lists its threads elsewhere.
fn members(path: &Path) -> Result<Vec<u32>, CgroupError> {
    for file in ["cgroup.procs", "cgroup.threads"] {
        let path = path.join(file);
        match fs::read_to_string(&path) {
            // 0 stands for a process of a pid namespace that cannot be seen from here.
            Ok(text) => {
                return Ok(text
                    .lines()
                    .filter_map(|line| line.parse().ok())
                    .filter(|&pid| pid != 0)
                    .collect());
            }
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            Err(error) if vanished(&error) => break,
            Err(source) => return Err(CgroupError::Read { path, source }),
        }
    }
    Ok(Vec::new())
}

/// kernfs answers ENODEV for a node that was removed while it was held open.
pub(crate) fn vanished(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}

/// The kernfs id of `path` below `base`, or of `base` itself where `path` is empty. It is the whole
/// file handle (fs/kernfs/mount.c, `kernfs_encode_fh`) and what BPF calls the cgroup id; the inode
/// number is only its lower half where inode numbers have 32 bits.
fn node_id(base: impl AsFd, path: &Path) -> io::Result<u64> {
    #[repr(C)]
    struct Handle {
        head: libc::file_handle,
        id: MaybeUninit<u64>,
    }
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: both fields are plain old data; zeros are a valid value.
    let mut handle: Handle = unsafe { mem::zeroed() };
    handle.head.handle_bytes = ID_BYTES;
    let mut mount = 0;
    // SAFETY: `path` ends with a zero; `handle` has room for the 8 bytes that `handle_bytes` promises,
    // right behind the header; `mount` is a valid place for an int. The call keeps no pointer.
    let result = unsafe {
        libc::name_to_handle_at(
            base.as_fd().as_raw_fd(),
            path.as_ptr(),
            (&raw mut handle).cast(),
            &raw mut mount,
            libc::AT_EMPTY_PATH,
        )
    };
    Errno::result(result)?;
    if handle.head.handle_type != FILEID_KERNFS || handle.head.handle_bytes != ID_BYTES {
        return Err(io::Error::from(Errno::EOPNOTSUPP));
    }
    // SAFETY: the kernel filled all 8 bytes, as `handle_bytes` now says.
    Ok(unsafe { handle.id.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::procfs::Procfs;

    #[test]
    fn directories_of_a_tree_and_no_files() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir_all(tree.path().join("a/b/c")).unwrap();
        fs::create_dir_all(tree.path().join("d")).unwrap();
        fs::write(tree.path().join("a/cgroup.procs"), "").unwrap();
        let mut found = directories_below(tree.path()).unwrap();
        found.sort();
        let expected = ["a", "a/b", "a/b/c", "d"].map(|name| tree.path().join(name));
        assert_eq!(found, expected);
        assert_eq!(directories_below(&tree.path().join("gone")).unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn members_of_an_ordinary_directory() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("cgroup.procs"), "1\n0\n42\n").unwrap();
        assert_eq!(members(tree.path()).unwrap(), [1, 42]);
        assert_eq!(members(&tree.path().join("gone")).unwrap(), Vec::<u32>::new());
    }

    #[test]
    fn only_kernfs_nodes_have_an_id() {
        let tree = tempfile::tempdir().unwrap();
        assert!(node_id(nix::fcntl::AT_FDCWD, tree.path()).is_err());
    }

    /// Reads the machine's own hierarchy, where it has one.
    #[test]
    fn the_root_of_this_machine() {
        let Ok(hierarchy) = Hierarchy::discover(&Procfs::default()) else { return };
        let root = Cgroup::open(hierarchy.mount_point(), &hierarchy).unwrap();
        assert!(!root.is_gone());
        let missing = Cgroup::open(Path::new("/no/such/cgroup"), &hierarchy);
        assert!(matches!(missing, Err(CgroupError::Missing { .. })));
        let file = Cgroup::open(&hierarchy.mount_point().join("cgroup.procs"), &hierarchy);
        assert!(matches!(file, Err(CgroupError::NotACgroup(_))));
        assert!(matches!(Cgroup::open(Path::new("/proc"), &hierarchy), Err(CgroupError::NotACgroup(_))));
        for below in root.descendants().unwrap() {
            assert_ne!(below.id, root.id());
        }
    }
}
