//! Operations and the security hooks that they pass, whichever way they come. One table: what rules name,
//! what programs are attached to, what `doctor` and docs/io.md print.
//!
//! An operation passes exactly one run of one of its hooks. The kernel's source says so (6.12, and 6.1 where
//! it differs): include/linux/security.h and its callers.

use std::fmt;

/// `MAY_WRITE` and `MAY_READ` (include/linux/fs.h).
const WRITE: u32 = 2;
const READ: u32 = 4;

/// What an operation is about, and so which words can choose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// A file or folder: `path=`.
    Path,
    /// A socket with a peer: `peer=`, `port=`.
    Connection,
    /// A socket that has no peer yet, or whose peer is not known yet: `port=`, its own.
    Endpoint,
}

impl Object {
    /// The words of a rule that can choose it.
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Path => &["path="],
            Self::Connection => &["peer=", "port="],
            Self::Endpoint => &["port="],
        }
    }
}

/// Where a hook's arguments have the object; each has a program of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// A file.
    File,
    /// A file, and a mask of what is about to be done.
    Access,
    /// A path.
    Path,
    /// A folder, and the entry in it.
    Entry,
    /// Two entries, as `security_path_link` has them.
    Link,
    /// Two entries, as `security_path_rename` has them.
    Rename,
    /// A socket.
    Socket,
    /// A socket, and its peer's address.
    Connect,
    /// A socket, and the address that it is to have.
    Bind,
    /// A socket, and a message that may name a peer.
    Send,
}

impl Arguments {
    /// The program on the kernel side (injector-ebpf, `hook`).
    pub const fn program(self) -> &'static str {
        match self {
            Self::File => "hook_file",
            Self::Access => "hook_access",
            Self::Path => "hook_path",
            Self::Entry => "hook_entry_of",
            Self::Link => "hook_link",
            Self::Rename => "hook_rename",
            Self::Socket => "hook_socket",
            Self::Connect => "hook_connect",
            Self::Bind => "hook_bind",
            Self::Send => "hook_send",
        }
    }
}

/// One operation.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    /// As rules and the log call it.
    pub name: &'static str,
    /// What it is about.
    pub object: Object,
    /// The hooks that it passes, one of them each time.
    pub hooks: &'static [(&'static str, Arguments)],
    /// What the hook's mask has to have; 0 for hooks without one.
    pub mask: u32,
    /// What it covers, in words.
    pub covers: &'static str,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// An operation of files and folders without a mask.
const fn path(
    name: &'static str,
    hooks: &'static [(&'static str, Arguments)],
    covers: &'static str,
) -> Operation {
    Operation { name, object: Object::Path, hooks, mask: 0, covers }
}

/// An operation of sockets.
const fn socket(
    name: &'static str,
    object: Object,
    hooks: &'static [(&'static str, Arguments)],
    covers: &'static str,
) -> Operation {
    Operation { name, object, hooks, mask: 0, covers }
}

/// All of them; an operation's number is its index plus one.
#[rustfmt::skip]
pub static TABLE: &[Operation] = {
    use Arguments as A;
    use Object::{Connection, Endpoint};
    &[
        path("open", &[("security_file_open", A::File)], "opening a file or folder; execve opens, too"),
        path("create", &[("security_path_mknod", A::Entry)], "making a file: open with O_CREAT where there is none, mknod, bind of a Unix socket"),
        Operation { mask: READ, ..path("read", &[("security_file_permission", A::Access)], "reading a file, a folder's list, a pipe, a socket; the source of sendfile, splice and copy_file_range") },
        Operation { mask: WRITE, ..path("write", &[("security_file_permission", A::Access)], "writing to a file, a pipe, a socket; fallocate; the destination of sendfile, splice and copy_file_range") },
        path("mmap", &[("security_mmap_file", A::File)], "mapping a file, or memory without a path"),
        path("truncate", &[("security_path_truncate", A::Path), ("security_file_truncate", A::File)], "truncate, ftruncate, open with O_TRUNC"),
        path("stat", &[("security_inode_getattr", A::Path)], "asking for a file's attributes"),
        path("chmod", &[("security_path_chmod", A::Path)], "changing a file's mode"),
        path("chown", &[("security_path_chown", A::Path)], "changing a file's owner or group"),
        path("rename", &[("security_path_rename", A::Rename)], "renaming; `path=` means the old or the new name"),
        path("link", &[("security_path_link", A::Link)], "making a hard link; `path=` means the old or the new name"),
        path("symlink", &[("security_path_symlink", A::Entry)], "making a symbolic link; `path=` means the link"),
        path("unlink", &[("security_path_unlink", A::Entry)], "deleting a file"),
        path("mkdir", &[("security_path_mkdir", A::Entry)], "making a folder"),
        path("rmdir", &[("security_path_rmdir", A::Entry)], "deleting a folder"),
        path("ioctl", &[("security_file_ioctl", A::File), ("security_file_ioctl_compat", A::File)], "ioctl"),
        path("lock", &[("security_file_lock", A::File)], "flock, and fcntl's locks"),
        socket("connect", Connection, &[("security_socket_connect", A::Connect)], "connecting a socket"),
        socket("bind", Endpoint, &[("security_socket_bind", A::Bind)], "giving a socket an address"),
        socket("listen", Endpoint, &[("security_socket_listen", A::Socket)], "listening"),
        socket("accept", Endpoint, &[("security_socket_accept", A::Socket)], "accepting, before a connection is waited for"),
        socket("send", Connection, &[("security_socket_sendmsg", A::Send)], "sending; write to a socket, too"),
        socket("recv", Connection, &[("security_socket_recvmsg", A::Socket)], "receiving, before data is waited for; read from a socket, too"),
    ]
};

/// The operation of that name.
pub fn get(name: &str) -> Option<&'static Operation> {
    TABLE.iter().find(|operation| operation.name == name)
}

/// The operation's number, from 1.
pub fn number(operation: &Operation) -> u32 {
    TABLE.iter().zip(1..).find(|(known, _)| *known == operation).map_or(0, |(_, number)| number)
}

/// The operation with this number.
pub fn by_number(number: u32) -> Option<&'static Operation> {
    TABLE.get(usize::try_from(number).ok()?.checked_sub(1)?)
}

/// Where the arguments of the hook `function` have the object.
pub fn arguments(function: &str) -> Option<Arguments> {
    let mut hooks = TABLE.iter().flat_map(|operation| operation.hooks);
    hooks.find(|(name, _)| *name == function).map(|&(_, arguments)| arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hook_has_one_program_and_each_name_one_operation() {
        for (operation, expected) in TABLE.iter().zip(1..) {
            assert_eq!((number(operation), by_number(expected)), (expected, Some(operation)));
            assert_eq!(get(operation.name), Some(operation), "{operation} stands twice");
            for &(function, arguments_here) in operation.hooks {
                assert_eq!(arguments(function), Some(arguments_here), "{function}");
            }
            let masked = operation.hooks.iter().any(|(_, arguments)| *arguments == Arguments::Access);
            assert_eq!(operation.mask != 0, masked, "{operation}");
        }
        assert_eq!((by_number(0), get("teapot")), (None, None));
    }
}
