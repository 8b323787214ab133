//! `cargo xtask syscalls`: writes the table of system calls that the library reads. Numbers, names,
//! entry points and parameters come from a kernel's source; which classes (`%file`, `%network`, …)
//! a call belongs to comes from strace's. Called when a newer kernel has new calls; the table is
//! checked in, so nobody needs either source to build.

mod kernel;
mod parameter;
mod strace;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;
use tempfile::TempDir;

use self::parameter::Parameter;
use crate::{checkout, child};

/// Write the table of system calls from the sources of a kernel and of strace.
#[derive(Args)]
pub(crate) struct Syscalls {
    /// The kernel's source, a tree or an archive: Debian's package linux-source-6.12.
    #[arg(long, value_name = "PATH", default_value = "/usr/src/linux-source-6.12.tar.xz")]
    linux: PathBuf,
    /// strace's source, a tree or an archive, of a release at least as new as the kernel:
    /// `apt-get source strace`, or a checkout of a release's tag.
    #[arg(long, value_name = "PATH")]
    strace: PathBuf,
    /// Where to write the table, instead of the library's own folder.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The ABIs of the table, by the names that the library gives them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Abi {
    X86_64,
    I386,
    X32,
    Arm64,
    Arm,
}

impl Abi {
    const ALL: [Self; 5] = [Self::X86_64, Self::I386, Self::X32, Self::Arm64, Self::Arm];

    const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::I386 => "i386",
            Self::X32 => "x32",
            Self::Arm64 => "arm64",
            Self::Arm => "arm",
        }
    }
}

/// A line of the table.
struct Row {
    name: String,
    /// The function behind the call without the architecture's prefix, such as `sys_read`.
    entry: Option<String>,
    parameters: Vec<Parameter>,
    classes: Vec<String>,
}

impl Syscalls {
    pub(crate) fn run(&self) -> Result<()> {
        let linux = Source::open(&self.linux, kernel::FILES)?;
        let strace = Source::open(&self.strace, strace::FILES)?;
        let kernel = kernel::Kernel::read(linux.path())?;
        let classes = strace::Strace::read(strace.path())?;
        let mut text = header(&kernel.version, &classes.version);
        for abi in Abi::ALL {
            let rows = join(abi, &kernel, &classes)?;
            for (number, row) in &rows {
                let entry = row.entry.as_deref().unwrap_or("-");
                let classes = if row.classes.is_empty() { "-".into() } else { row.classes.join(",") };
                let parameters: Vec<_> = row.parameters.iter().map(ToString::to_string).collect();
                let parameters = if parameters.is_empty() { "-".into() } else { parameters.join(",") };
                let (abi, name) = (abi.name(), &row.name);
                writeln!(text, "{abi}\t{number}\t{name}\t{entry}\t{parameters}\t{classes}")?;
            }
            println!("{}: {} calls", abi.name(), rows.len());
        }
        let output =
            self.output.clone().unwrap_or_else(|| checkout::root().join("injector/src/syscalls/table.tsv"));
        fs::write(&output, text).with_context(|| format!("cannot write {}", output.display()))
    }
}

/// What the two sources say about one ABI, brought together by number.
fn join(abi: Abi, kernel: &kernel::Kernel, strace: &strace::Strace) -> Result<BTreeMap<u32, Row>> {
    let known = strace.calls(abi)?;
    let mut rows = BTreeMap::new();
    for (number, call) in kernel.calls(abi)? {
        let from_strace = known.get(&number);
        let all = call.entry.as_deref().map(|entry| kernel.parameters(abi, entry)).unwrap_or_default();
        let parameters = match (all.as_slice(), from_strace.map(|known| usize::from(known.arguments))) {
            ([only], _) => only.clone(),
            ([], Some(count)) => Parameter::unknown(count),
            // One of several definitions, by the kernel's configuration; strace has the right number.
            (all, count) => {
                let fits = all.iter().find(|parameters| count == Some(parameters.len()));
                let name = &call.name;
                fits.with_context(|| format!("{} {name}: {count:?} arguments, or {all:?}", abi.name()))?
                    .clone()
            }
        };
        // Two calls of 32-bit Arm have another name in strace, whose grammar this is.
        let name = from_strace.map_or(call.name, |known| known.name.clone());
        let classes = from_strace.map(|known| known.classes.clone()).unwrap_or_default();
        rows.insert(number, Row { name, entry: call.entry, parameters, classes });
    }
    // Calls newer than this kernel. Since 5.1 all ABIs number new calls alike, and none of those has
    // needed a compat entry, so their entry points follow from their names.
    let newest = kernel.newest()?;
    for (number, call) in known.range(newest + 1..SHARED_END) {
        rows.entry(*number).or_insert_with(|| Row {
            name: call.name.clone(),
            entry: Some(format!("sys_{}", call.name)),
            parameters: Parameter::unknown(usize::from(call.arguments)),
            classes: call.classes.clone(),
        });
    }
    Ok(rows)
}

/// Numbers from 424 up to this one are the same for all ABIs; from 500 on strace keeps calls that are
/// none for the kernel, such as the parts of `socketcall`, and from 512 on x32 has its own.
const SHARED_END: u32 = 500;

fn header(linux: &str, strace: &str) -> String {
    format!(
        "# The system calls of Linux, written by `cargo xtask syscalls`; do not edit.\n\
         # Numbers, names, entry points and parameters: the tables and the SYSCALL_DEFINE macros of Linux\n\
         # {linux}. Class membership, and calls newer than that kernel: the tables of strace {strace}.\n\
         # A parameter is name:kind. i, u: 32 bits, with and without sign; l, z: a register; p: an address.\n\
         # abi\tnumber\tname\tentry\tparameters\tclasses\n"
    )
}

/// A source tree: one that the caller has, or one unpacked for as long as this value lives.
enum Source {
    Tree(PathBuf),
    Unpacked(TempDir),
}

impl Source {
    /// `files` are the patterns of what is needed of an archive.
    fn open(path: &Path, files: &[&str]) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self::Tree(path.to_owned()));
        }
        let folder = TempDir::new().context("cannot make a temporary folder")?;
        let mut tar = Command::new("tar");
        tar.args(["--extract", "--strip-components=1", "--wildcards", "--file"]).arg(path);
        tar.arg("--directory").arg(folder.path()).args(files);
        child::run(&mut tar).with_context(|| format!("cannot unpack {}", path.display()))?;
        Ok(Self::Unpacked(folder))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Tree(path) => path,
            Self::Unpacked(folder) => folder.path(),
        }
    }
}

/// The text of a file below `root`.
fn text(root: &Path, file: &str) -> Result<String> {
    let path = root.join(file);
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
