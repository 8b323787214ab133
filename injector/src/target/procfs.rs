//! The few things that a target needs from procfs: who is whose child, which cgroup somebody is in,
//! what is mounted where. Formats: Documentation/filesystems/proc.rst (Linux 6.12).
//!
//! The root is a parameter, so that the tests read captured trees.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

/// A mounted procfs.
#[derive(Debug, Clone)]
pub struct Procfs {
    root: PathBuf,
}

impl Default for Procfs {
    fn default() -> Self {
        Self::at("/proc")
    }
}

/// What one line of `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The first 15 bytes of the name.
    pub(crate) comm: String,
    /// The thread group of the parent, in the pid namespace of this procfs.
    pub(crate) parent: u32,
    /// `PF_…` (include/linux/sched.h).
    pub(crate) flags: u32,
    /// Was it stopped, by a signal or a debugger?
    pub(crate) stopped: bool,
    /// When it started, in clock ticks since boot; with the number it names a process for good.
    pub(crate) start: u64,
}

/// One line of `/proc/PID/mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountLine {
    /// The number of the mount.
    pub(crate) id: u32,
    /// The number of the mount that it is mounted on.
    pub(crate) parent: u32,
    /// The directory inside the file system that this mount shows.
    pub(crate) root: PathBuf,
    /// Where it is mounted.
    pub(crate) point: PathBuf,
    /// The type of the file system.
    pub(crate) kind: String,
}

impl Procfs {
    /// A procfs mounted at `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Path of an entry, for messages and for opening it.
    pub(crate) fn path(&self, entry: impl AsRef<Path>) -> PathBuf {
        self.root.join(entry)
    }

    /// Numbers of all processes that exist now.
    pub(crate) fn pids(&self) -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            if let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
                pids.push(pid);
            }
        }
        Ok(pids)
    }

    /// State of one process; `NotFound` when there is none of that number.
    pub(crate) fn stat(&self, pid: u32) -> io::Result<Stat> {
        match fs::read(self.path(format!("{pid}/stat"))) {
            Ok(text) => parse_stat(&text).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData)),
            // A process that ends between open and read (fs/proc/base.c, proc_single_show).
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => Err(error),
        }
    }

    /// The thread group that a thread belongs to; the same number for a process.
    pub(crate) fn thread_group(&self, tid: u32) -> io::Result<u32> {
        fs::read_to_string(self.path(format!("{tid}/status")))?
            .lines()
            .find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// A variable of the environment that a process was started with, if it has it.
    pub(crate) fn environment(&self, pid: u32, variable: &str) -> io::Result<Option<String>> {
        let all = fs::read(self.path(format!("{pid}/environ")))?;
        let mut values = all.split(|&byte| byte == 0).filter_map(|entry| {
            let (name, value) = str::from_utf8(entry).ok()?.split_once('=')?;
            (name == variable).then_some(value)
        });
        Ok(values.next().map(str::to_owned))
    }

    /// Inode number of the caller's pid namespace.
    ///
    /// # Errors
    /// `/proc/self/ns/pid` cannot be read.
    pub fn pid_namespace(&self) -> io::Result<u64> {
        Ok(fs::metadata(self.path("self/ns/pid"))?.ino())
    }

    /// Path of the caller's own cgroup in the version 2 hierarchy, as the kernel prints it; `None`
    /// where that hierarchy does not exist.
    pub(crate) fn own_cgroup(&self) -> io::Result<Option<PathBuf>> {
        Self::cgroup_at(&self.path("self/cgroup"))
    }

    /// The same of a process.
    pub(crate) fn cgroup_of(&self, pid: u32) -> io::Result<Option<PathBuf>> {
        Self::cgroup_at(&self.path(format!("{pid}/cgroup")))
    }

    fn cgroup_at(path: &Path) -> io::Result<Option<PathBuf>> {
        let text = fs::read(path)?;
        Ok(text
            .split(|&byte| byte == b'\n')
            .find_map(|line| line.strip_prefix(b"0::"))
            .map(|path| PathBuf::from(OsStr::from_bytes(path))))
    }

    /// All mounts of the caller's mount namespace.
    pub(crate) fn mounts(&self) -> io::Result<Vec<MountLine>> {
        let text = fs::read(self.path("self/mountinfo"))?;
        Ok(text.split(|&byte| byte == b'\n').filter_map(parse_mount).collect())
    }
}

/// The name stands in parentheses and can hold parentheses and blanks itself: the last one ends it.
fn parse_stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|&byte| byte == b'(')?;
    let close = text.iter().rposition(|&byte| byte == b')')?;
    let comm = String::from_utf8_lossy(text.get(open + 1..close)?).into_owned();
    // Numbered as in proc_pid_stat(5), where the state after the name is field 3.
    let fields: Vec<&str> = str::from_utf8(text.get(close + 1..)?).ok()?.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3);
    Some(Stat {
        comm,
        parent: field(4)?.parse().ok()?,
        flags: field(9)?.parse().ok()?,
        stopped: matches!(*field(3)?, "T" | "t"),
        start: field(22)?.parse().ok()?,
    })
}

/// `36 35 98:0 /root /point options [optional…] - type source options`
fn parse_mount(line: &[u8]) -> Option<MountLine> {
    let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let dash = fields.iter().position(|field| *field == b"-")?;
    let number = |index: usize| str::from_utf8(fields.get(index)?).ok()?.parse().ok();
    Some(MountLine {
        id: number(0)?,
        parent: number(1)?,
        root: unescape(fields.get(3)?),
        point: unescape(fields.get(4)?),
        kind: String::from_utf8_lossy(fields.get(dash + 1)?).into_owned(),
    })
}

/// Blank, tab, newline and backslash are printed as three octal digits (`mangle`, fs/seq_file.c).
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = (first == b'\\')
            .then(|| tail.get(..3).and_then(|digits| str::from_utf8(digits).ok()))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(octal.unwrap_or(first));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_of_a_process_with_a_hostile_name() {
        let line = b"77 (a) S 1 (b) R 42 77 77 0 -1 4194560 90 0 0 0 1 2 0 0 20 0 3 0 8123 10 20";
        let stat = parse_stat(line).unwrap();
        assert_eq!(
            stat,
            Stat { comm: "a) S 1 (b".into(), parent: 42, flags: 4_194_560, stopped: false, start: 8123 }
        );
        assert_eq!(parse_stat(b"77 (cut"), None);
        assert_eq!(parse_stat(b"77 (short) R 42"), None);
    }

    #[test]
    fn mount_points_are_unescaped() {
        let line = br"36 35 0:38 /sub /mnt/a\040b\134c rw,noatime master:1 - cgroup2 none rw,nsdelegate";
        let mount = parse_mount(line).unwrap();
        assert_eq!((mount.id, mount.parent), (36, 35));
        assert_eq!(mount.root, Path::new("/sub"));
        assert_eq!(mount.point, Path::new(r"/mnt/a b\c"));
        assert_eq!(mount.kind, "cgroup2");
        assert_eq!(parse_mount(b""), None);
    }

    #[test]
    fn own_cgroup_among_version_1_ones() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("self")).unwrap();
        let file = tree.path().join("self/cgroup");
        let procfs = Procfs::at(tree.path());
        fs::write(&file, "9:name=systemd:/x\n1:cpu:/\n0::/user.slice/a:b\n").unwrap();
        assert_eq!(procfs.own_cgroup().unwrap(), Some(PathBuf::from("/user.slice/a:b")));
        fs::write(&file, "1:cpu:/\n").unwrap();
        assert_eq!(procfs.own_cgroup().unwrap(), None);
    }

    #[test]
    fn this_test_is_a_process() {
        let procfs = Procfs::default();
        let own = std::process::id();
        assert!(procfs.pids().unwrap().contains(&own));
        assert_eq!(procfs.stat(own).unwrap().parent, std::os::unix::process::parent_id());
        assert_eq!(procfs.thread_group(own).unwrap(), own);
        assert_eq!(procfs.stat(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
