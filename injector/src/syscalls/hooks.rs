//! Security hooks at which a thread may sleep, and what the kernel holds there.

/// What the kernel holds at hooks where a thread may sleep, for which others wait (fs/namei.c, fs/open.c). At
/// those of [`UNLOCKED`] it is nothing (fs/open.c, fs/ioctl.c, fs/locks.c, mm/util.c, fs/stat.c, net/socket.c).
const LOCKED: [(&str, &str); 9] = [
    ("security_path_rename", "the lock of both folders, and of all renames of the file system"),
    ("security_path_unlink", "the folder's lock"),
    ("security_path_rmdir", "the folder's lock"),
    ("security_path_mkdir", "the folder's lock"),
    ("security_path_symlink", "the folder's lock"),
    ("security_path_link", "the folder's lock"),
    ("security_path_chmod", "the file's lock"),
    ("security_path_chown", "the file's lock"),
    ("security_path_truncate", "the right to write to the file system, which keeps it from being frozen"),
];

/// Hooks of calls and operations at which a thread may sleep and others do not wait for it.
const UNLOCKED: [&str; 6] = [
    "security_file_open",
    "security_file_ioctl",
    "security_file_ioctl_compat",
    "security_file_lock",
    "security_mmap_file",
    "security_inode_getattr",
];

/// The same of all that begin so.
const UNLOCKED_PREFIX: &str = "security_socket_";

/// May a thread sleep at `hook`?
pub fn may_sleep_at(hook: &str) -> bool {
    UNLOCKED.contains(&hook) || hook.starts_with(UNLOCKED_PREFIX) || held_at(hook).is_some()
}

/// What the kernel holds at `hook` for which others wait, if it is one of those where a thread may sleep.
pub fn held_at(hook: &str) -> Option<&'static str> {
    LOCKED.iter().find(|(name, _)| *name == hook).map(|&(_, held)| held)
}
