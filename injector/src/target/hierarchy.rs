//! Where the version 2 cgroup hierarchy is mounted: on `/sys/fs/cgroup` alone, on
//! `/sys/fs/cgroup/unified` beside version 1 (systemd's hybrid layout), or anywhere else that
//! `/proc/self/mountinfo` names.

use std::path::{Component, Path, PathBuf};

use nix::sys::statfs;

use crate::target::{
    error::CgroupError,
    procfs::{MountLine, Procfs},
};

/// The mounted version 2 hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Absolute path of the mount.
    point: PathBuf,
    /// The cgroup that the mount shows: `/`, or a deeper one where a container got only its own part.
    root: PathBuf,
}

/// What kind of directory a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Version1,
    Version2,
    Other,
}

impl Hierarchy {
    /// Finds the mount that is in sight: one that is hidden under a later mount does not count.
    ///
    /// # Errors
    /// [`CgroupError`]: no version 2 hierarchy is mounted in sight, or `/proc/self/mountinfo` cannot be read.
    pub fn discover(procfs: &Procfs) -> Result<Self, CgroupError> {
        let lines = procfs
            .mounts()
            .map_err(|source| CgroupError::Read { path: procfs.path("self/mountinfo"), source })?;
        let version1 = lines.iter().any(|line| line.kind == "cgroup");
        let hidden =
            |line: &MountLine| lines.iter().any(|upper| upper.parent == line.id && upper.point == line.point);
        lines
            .iter()
            .filter(|line| line.kind == "cgroup2" && !hidden(line))
            .find(|line| kind_of(&line.point) == Ok(Kind::Version2))
            .map(|line| Self { point: line.point.clone(), root: line.root.clone() })
            .ok_or(CgroupError::NoVersion2 { version1 })
    }

    /// Where it is mounted.
    pub fn mount_point(&self) -> &Path {
        &self.point
    }

    /// Absolute path of a cgroup that the kernel names `name` (as in `/proc/PID/cgroup`); `None` for
    /// one that this mount does not show.
    pub(crate) fn locate(&self, name: &Path) -> Option<PathBuf> {
        let below = name.strip_prefix(&self.root).ok()?;
        let shown = !below.components().any(|part| part == Component::ParentDir);
        shown.then(|| if below == Path::new("") { self.point.clone() } else { self.point.join(below) })
    }

    /// Absolute path of what the mount has at `path`, from its own root on: in a container with a cgroup namespace of its
    /// own that got the machine's mount, kernel and user call the same cgroup `/../../x` and `/x`.
    pub(crate) fn below(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix("/").unwrap_or(path);
        below.components().all(|part| matches!(part, Component::Normal(_))).then(|| self.point.join(below))
    }

    /// The name that the kernel prints for the cgroup at the absolute path `path`.
    pub(crate) fn name(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(&self.point).ok()?;
        Some(if below == Path::new("") { self.root.clone() } else { self.root.join(below) })
    }
}

/// Tells cgroup directories from others by the magic number of their file system.
pub(crate) fn kind_of(path: &Path) -> Result<Kind, nix::Error> {
    let kind = statfs::statfs(path)?.filesystem_type();
    Ok(if kind == statfs::CGROUP2_SUPER_MAGIC {
        Kind::Version2
    } else if kind == statfs::CGROUP_SUPER_MAGIC {
        Kind::Version1
    } else {
        Kind::Other
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn discover(mountinfo: &str) -> Result<Hierarchy, CgroupError> {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("self")).unwrap();
        fs::write(tree.path().join("self/mountinfo"), mountinfo).unwrap();
        Hierarchy::discover(&Procfs::at(tree.path()))
    }

    #[test]
    fn a_host_without_version_2_says_which_it_has() {
        let found = discover("31 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
        assert!(matches!(found, Err(CgroupError::NoVersion2 { version1: true })));
        let found = discover("31 23 0:28 / / rw - ext4 /dev/vda rw\n");
        assert!(matches!(found, Err(CgroupError::NoVersion2 { version1: false })));
    }

    #[test]
    fn a_line_that_the_file_system_does_not_confirm_is_no_hierarchy() {
        let found = discover("31 23 0:28 / /tmp rw - cgroup2 cgroup2 rw\n");
        assert!(matches!(found, Err(CgroupError::NoVersion2 { version1: false })));
    }

    #[test]
    fn names_and_paths_of_a_whole_mount() {
        let whole = Hierarchy { point: "/sys/fs/cgroup".into(), root: "/".into() };
        for (name, path) in [("/", "/sys/fs/cgroup"), ("/a/b", "/sys/fs/cgroup/a/b")] {
            assert_eq!(whole.locate(Path::new(name)), Some(path.into()));
            assert_eq!(whole.name(Path::new(path)), Some(name.into()));
        }
        assert_eq!(whole.locate(Path::new("/../x")), None, "outside of the cgroup namespace");
        assert_eq!(whole.name(Path::new("/sys/fs")), None);
    }

    #[test]
    fn names_and_paths_of_a_part() {
        let part = Hierarchy { point: "/cg".into(), root: "/pod/c1".into() };
        assert_eq!(part.locate(Path::new("/pod/c1")), Some("/cg".into()));
        assert_eq!(part.locate(Path::new("/pod/c1/x")), Some("/cg/x".into()));
        assert_eq!(part.locate(Path::new("/pod/c2")), None);
        assert_eq!(part.name(Path::new("/cg/x")), Some("/pod/c1/x".into()));
        assert_eq!(part.below(Path::new("/x")), Some("/cg/x".into()));
    }

    #[test]
    fn a_mount_that_shows_more_than_the_own_namespace() {
        let whole = Hierarchy { point: "/cg".into(), root: "/../..".into() };
        assert_eq!(whole.locate(Path::new("/../../x/y")), Some("/cg/x/y".into()));
        assert_eq!(whole.name(Path::new("/cg/x/y")), Some("/../../x/y".into()));
        assert_eq!(whole.below(Path::new("/x/y")), Some("/cg/x/y".into()));
        assert_eq!(whole.below(Path::new("/../x")), None);
    }
}
