//! How a need is seen to be met: a program on the PATH, a file, or what the C compiler can do.

use std::path::Path;
use std::process::Command;

use crate::child;

/// What is there if a package is.
pub(super) enum Sign {
    Program(&'static str),
    /// A program that needs no libraries.
    StaticProgram(&'static str),
    File(&'static str),
    /// A library's header, found by the C compiler.
    Header(&'static str),
    /// The C compiler makes 32-bit programs.
    Compiles32,
}

impl Sign {
    /// Is it there?
    pub(super) fn found(&self) -> bool {
        match self {
            Self::Program(name) => child::on_path(name).is_some(),
            Self::StaticProgram(name) => child::on_path(name).is_some_and(|path| is_static(&path)),
            Self::File(path) => Path::new(path).exists(),
            Self::Header(name) => compiles(&["-E", "-include", name]),
            Self::Compiles32 => compiles(&["-m32", "-shared", "-o", "/dev/null"]),
        }
    }
}

/// Whether an ELF file names no dynamic loader. (Debian's package busybox, which the usual
/// installation brings, does.)
pub(crate) fn is_static(path: &Path) -> bool {
    let Ok(bytes) = std::fs::read(path) else { return false };
    let head = &bytes[..bytes.len().min(4096)];
    !head.windows(4).any(|window| window == b"/ld-")
}

/// Whether the C compiler takes an empty file with these options.
fn compiles(options: &[&str]) -> bool {
    let mut compile = Command::new("cc");
    compile.args(options).args(["-x", "c", "/dev/null"]);
    child::output(&mut compile).is_ok()
}
