//! The parameters of a system call: their names, and how the register of each is to be read.

use crate::syscalls::abi::Abi;

/// What a call's function takes in one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the kernel's source; `arg0` and so on where that is not known.
    pub name: &'static str,
    /// The bits that count, 32 or 64. A C library may leave anything in the others.
    pub width: u8,
    /// Is its highest bit a sign?
    pub signed: bool,
}

/// Names of parameters that are file descriptors, in the kernel's source of system calls.
const DESCRIPTORS: [&str; 26] = [
    "fd",
    "fildes",
    "oldfd",
    "newfd",
    "in_fd",
    "out_fd",
    "fd_in",
    "fd_out",
    "fdin",
    "fdout",
    "epfd",
    "dfd",
    "olddfd",
    "newdfd",
    "from_dfd",
    "to_dfd",
    "ufd",
    "fanotify_fd",
    "mountdirfd",
    "kernel_fd",
    "initrd_fd",
    "pidfd",
    "fs_fd",
    "ruleset_fd",
    "group_fd",
    "mqdes",
];

/// Those of them that are what the call is about, rather than where a path begins or whose business it is.
const OPEN_FILES: [&str; 9] =
    ["fd", "fildes", "oldfd", "in_fd", "out_fd", "fd_in", "fd_out", "fdin", "fdout"];

impl Parameter {
    /// Is it the descriptor of an open file or socket that the call is about?
    pub fn is_open_file(&self) -> bool {
        OPEN_FILES.contains(&self.name)
    }

    /// Is it a file descriptor?
    pub fn is_descriptor(&self) -> bool {
        DESCRIPTORS.contains(&self.name)
    }

    /// A column of the table, such as `fd:u,buf:p,count:z`; `-` for none. A 32-bit caller has 32 bits
    /// of everything.
    pub(super) fn read_all(column: &'static str, abi: Abi) -> Option<Vec<Self>> {
        if column == "-" {
            return Some(Vec::new());
        }
        let narrow = matches!(abi, Abi::I386 | Abi::Arm);
        let read = |piece: &'static str| {
            let (name, kind) = piece.split_once(':')?;
            let (width, signed) = match kind {
                "i" => (32, true),
                "u" => (32, false),
                "l" => (64, true),
                "z" | "p" => (64, false),
                _ => return None,
            };
            Some(Self { name, width: if narrow { 32 } else { width }, signed })
        };
        column.split(',').map(read).collect()
    }
}
