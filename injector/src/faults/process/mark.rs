//! The marks by which those who stand still are found again: an extended attribute of a cgroup's directory, made before
//! anybody is stopped and removed when all go on. The driver, the warden and `recover` all undo by it, so there is one
//! way back; and it goes with the cgroup, or with the machine.
//!
//! Its name says which plan's it is and for which target, its value who stands still: the cgroup with all below it
//! (`frozen`), or processes by number and start (`stopped 812:90211 …`).

use std::{
    ffi::CStr,
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr, listxattr},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use crate::target::{
    Procfs,
    cgroup::{directories_below, vanished},
};

/// The `user` class needs no capability, and cgroup2 has had it since Linux 5.7 (kernel/cgroup/cgroup.c,
/// `KERNFS_ROOT_SUPPORT_USER_XATTR`). Followed by the plan's number and the target's.
const PREFIX: &str = "user.injector.held.";

/// The longest value (include/uapi/linux/limits.h, `XATTR_SIZE_MAX`): some 4000 processes.
const LONGEST: usize = 65_536;

/// A mark's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    plan: u32,
    target: usize,
}

/// Who stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// All in the cgroup and below it.
    Cgroup,
    /// These processes, by number and start, see [`crate::target::Process::started`].
    Processes(Vec<(u32, u64)>),
}

impl Name {
    pub(super) fn new(plan: u32, target: usize) -> Self {
        Self { plan, target }
    }

    fn text(&self) -> String {
        format!("{PREFIX}{:08x}.{}", self.plan, self.target)
    }

    fn parse(text: &str) -> Option<Self> {
        let (plan, target) = text.strip_prefix(PREFIX)?.split_once('.')?;
        let name = Self { plan: u32::from_str_radix(plan, 16).ok()?, target: target.parse().ok()? };
        (name.text() == text).then_some(name)
    }
}

impl Held {
    fn text(&self) -> String {
        match self {
            Self::Cgroup => "frozen".into(),
            Self::Processes(those) => {
                let those: Vec<_> = those.iter().map(|(pid, start)| format!(" {pid}:{start}")).collect();
                format!("stopped{}", those.concat())
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "frozen" {
            return Some(Self::Cgroup);
        }
        let process = |word: &str| {
            let (pid, start) = word.split_once(':')?;
            Some((pid.parse().ok()?, start.parse().ok()?))
        };
        let words = text.strip_prefix("stopped")?.split_ascii_whitespace();
        words.map(process).collect::<Option<_>>().map(Self::Processes)
    }
}

/// Makes a mark, or writes it anew.
pub(super) fn set(directory: BorrowedFd<'_>, name: &Name, held: &Held) -> io::Result<()> {
    Ok(fsetxattr(directory, name.text(), held.text().as_bytes(), XattrFlags::empty())?)
}

/// Is there a mark? One that cannot be looked at is taken for one.
pub(super) fn exists(directory: BorrowedFd<'_>, name: &Name) -> bool {
    // Its length is enough.
    !matches!(fgetxattr(directory, name.text(), &mut [0_u8; 0][..]), Err(rustix::io::Errno::NODATA))
}

/// Has those go on of whom a mark tells, and removes it. A mark that is gone, or the cgroup, is as good.
pub(super) fn undo(directory: BorrowedFd<'_>, name: &Name) -> io::Result<()> {
    let mut value = vec![0; LONGEST];
    let length = match fgetxattr(directory, name.text(), &mut value[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::NODEV | rustix::io::Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    match str::from_utf8(&value[..length]).ok().and_then(Held::parse) {
        Some(Held::Cgroup) => match write(directory, c"cgroup.freeze", "0") {
            Err(error) if !vanished(&error) => return Err(error),
            _ => {}
        },
        Some(Held::Processes(those)) => {
            those.into_iter().filter_map(|process| same(process).transpose()).try_for_each(|process| {
                match pidfd_send_signal(process?, Signal::CONT) {
                    Err(error) if error != rustix::io::Errno::SRCH => Err(io::Error::from(error)),
                    _ => Ok(()),
                }
            })?;
        }
        // Not of this version; nobody else would remove it.
        None => {}
    }
    match fremovexattr(directory, name.text()) {
        Err(error) if !vanished(&error.into()) && error != rustix::io::Errno::NODATA => Err(error.into()),
        _ => Ok(()),
    }
}

/// The process of that number, if it is still the one that started then.
fn same((pid, start): (u32, u64)) -> io::Result<Option<rustix::fd::OwnedFd>> {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
    let process = match pidfd_open(number, PidfdFlags::empty()) {
        Err(rustix::io::Errno::SRCH) => return Ok(None),
        opened => opened?,
    };
    // Read after it was opened: it is about the process that is held now, or that has ended.
    match Procfs::default().stat(pid) {
        Ok(now) => Ok((now.start == start).then_some(process)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes to a file of a cgroup.
pub(super) fn write(directory: BorrowedFd<'_>, file: &CStr, value: &str) -> io::Result<()> {
    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, file, flags, rustix::fs::Mode::empty())?;
    rustix::io::write(file, value.as_bytes())?;
    Ok(())
}

/// Undoes all marks of plans for which `over` holds, at the cgroup `top` and all below it.
///
/// # Errors
/// The hierarchy cannot be walked.
pub(super) fn undo_below(top: &Path, over: impl Fn(u32) -> bool) -> io::Result<()> {
    let below = directories_below(top)?;
    undo_all(std::iter::once(top).chain(below.iter().map(PathBuf::as_path)), over);
    Ok(())
}

/// Undoes all marks of plans for which `over` holds, at these cgroups. Gives those at which there was one, and what failed.
pub(in crate::faults) fn undo_all<'a>(
    cgroups: impl IntoIterator<Item = &'a Path>,
    over: impl Fn(u32) -> bool,
) -> (Vec<PathBuf>, Vec<String>) {
    let (mut undone, mut failed) = (Vec::new(), Vec::new());
    for path in cgroups {
        // Most have none, and are not opened.
        for name in names(path).into_iter().filter(|name| over(name.plan)) {
            match File::open(path).and_then(|directory| undo(directory.as_fd(), &name)) {
                Ok(()) => undone.push(path.to_owned()),
                Err(error) if vanished(&error) => {}
                Err(error) => {
                    failed.push(format!("cannot end the pause of the cgroup {}: {error}", path.display()));
                }
            }
        }
    }
    (undone, failed)
}

/// The marks that a directory has; none if that cannot be told.
fn names(path: &Path) -> Vec<Name> {
    let mut list = vec![0; 1024];
    loop {
        match listxattr(path, &mut list[..]) {
            Ok(length) => {
                let names = list[..length].split(|&byte| byte == 0);
                return names.filter_map(|name| Name::parse(str::from_utf8(name).ok()?)).collect();
            }
            Err(rustix::io::Errno::RANGE) => list.resize(2 * list.len(), 0),
            Err(_) => return Vec::new(),
        }
    }
}

/// Whether a cgroup was frozen by whoever: what was written to it, not what those above it bring about.
pub(super) fn is_frozen(directory: BorrowedFd<'_>) -> io::Result<bool> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, c"cgroup.freeze", flags, rustix::fs::Mode::empty())?;
    let mut text = String::new();
    io::Read::read_to_string(&mut File::from(file), &mut text)?;
    Ok(text.trim() != "0")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn marks_read_back(plan: u32, target in 0_usize..1000, those in vec((1_u32.., 0_u64..), 0..20)) {
            let name = Name::new(plan, target);
            prop_assert_eq!(Name::parse(&name.text()), Some(name));
            let held = Held::Processes(those);
            prop_assert_eq!(Held::parse(&held.text()), Some(held));
        }

        #[test]
        fn no_text_breaks_them(text in ".{0,40}") {
            let _ = (Name::parse(&text), Held::parse(&text), Name::parse(&format!("{PREFIX}{text}")));
        }
    }

    #[test]
    fn others_attributes_are_no_marks() {
        for text in
            ["user.injector", "user.injector.held.1.0", "user.injector.held.0000000A.1", "security.selinux"]
        {
            assert_eq!(Name::parse(text), None, "{text}");
        }
        assert_eq!(Held::parse("frozen"), Some(Held::Cgroup));
        assert_eq!(Held::parse("stopped 1"), None);
    }

    /// An ordinary directory stands for a cgroup.
    #[test]
    fn a_mark_is_found_and_undone_once() {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().join("a/b");
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("cgroup.freeze"), "1\n").unwrap();
        let directory = File::open(&path).unwrap();
        let (ours, theirs) = (Name::new(7, 0), Name::new(8, 3));
        if set(directory.as_fd(), &ours, &Held::Cgroup).is_err() {
            return; // A file system without such attributes.
        }
        set(directory.as_fd(), &theirs, &Held::Processes(vec![(u32::MAX, 1)])).unwrap();
        assert!(is_frozen(directory.as_fd()).unwrap());
        let all = [tree.path(), &path];
        assert_eq!(undo_all(all, |plan| plan == 7), (vec![path.clone()], Vec::new()));
        assert!(!is_frozen(directory.as_fd()).unwrap());
        assert_eq!(names(&path), [theirs]);
        undo_below(tree.path(), |plan| plan == 9).unwrap();
        assert_eq!(names(&path), [theirs]);
        undo_below(tree.path(), |_| true).unwrap();
        assert_eq!(undo_all(all, |_| true), (Vec::new(), Vec::new()));
        undo(directory.as_fd(), &ours).unwrap();
    }
}
