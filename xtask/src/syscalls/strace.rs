//! What strace's source says: which classes each call belongs to. Only these facts are taken, by
//! reading its tables after the C preprocessor has put their parts together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Abi, text};
use crate::child;

/// Which files of an archive hold it all.
pub(super) const FILES: &[&str] = &[
    "*/NEWS",
    "*/src/filter_qualify.c",
    "*/src/basic_filters.c",
    "*/src/sysent_shorthand_defs.h",
    "*/src/linux/*.h",
];

/// A call as strace's table has it.
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: u8,
    pub(super) classes: Vec<String>,
}

/// One release of strace.
pub(super) struct Strace {
    pub(super) version: String,
    root: PathBuf,
    /// The classes behind each shorthand of the tables: `TD` is `desc`, `TN` is `net` and `network`.
    shorthands: BTreeMap<String, Vec<String>>,
}

impl Strace {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let news = text(root, "NEWS")?;
        let version = news.lines().find_map(|line| line.strip_prefix("Noteworthy changes in release "));
        let version = version.and_then(|rest| rest.split_whitespace().next());
        let version = version.context("strace's NEWS does not begin with a release")?.to_owned();

        // `{ TRACE_DESC, "%desc" },` gives a flag's classes, `# define TD TRACE_DESC` its shorthand.
        let filters = text(root, "src/basic_filters.c")?;
        let mut classes = BTreeMap::<&str, Vec<String>>::new();
        for line in filters.lines() {
            let Some((flag, name)) = line.trim().strip_prefix('{').and_then(|line| line.split_once(','))
            else {
                continue;
            };
            let name = name.split('"').nth(1).and_then(|name| name.strip_prefix('%'));
            classes.entry(flag.trim()).or_default().extend(name.map(str::to_owned));
        }
        let mut shorthands = BTreeMap::new();
        for line in text(root, "src/sysent_shorthand_defs.h")?.lines() {
            let Some(line) = line.strip_prefix("# define ") else { continue };
            let mut words = line.split_whitespace();
            let (short, flag) = (words.next(), words.next().and_then(|flag| classes.get(flag)));
            if let (Some(short), Some(classes)) = (short, flag) {
                shorthands.insert(short.to_owned(), classes.clone());
            }
        }
        Ok(Self { version, root: root.to_owned(), shorthands })
    }

    /// The calls of `abi` by number.
    pub(super) fn calls(&self, abi: Abi) -> Result<BTreeMap<u32, Call>> {
        let folder = match abi {
            Abi::X86_64 => "x86_64",
            Abi::I386 => "i386",
            Abi::X32 => "x32",
            Abi::Arm64 => "aarch64",
            Abi::Arm => "arm",
        };
        let linux = self.root.join("src/linux");
        let mut cc = Command::new("cc");
        cc.args(["-E", "-P", "-D__ARM_EABI__", "-I"]).arg(linux.join(folder));
        cc.arg("-I").arg(linux.join("generic")).arg(linux.join(folder).join("syscallent.h"));
        let table = child::output(&mut cc)?;
        // `[257] = { 4, TD|TF, SEN(openat), "openat" },`, the number perhaps a sum.
        let rows = table.split(']').zip(table.split(']').skip(1));
        Ok(rows.filter_map(|(before, row)| self.row(before.rsplit('[').next()?, row)).collect())
    }

    fn row(&self, number: &str, row: &str) -> Option<(u32, Call)> {
        let number = number.replace(['(', ')'], "");
        let number = number.split('+').map(|part| part.trim().parse::<u32>().ok()).sum::<Option<u32>>()?;
        let mut columns = row.split_once('{')?.1.split(',');
        let arguments = columns.next()?.trim().parse().ok()?;
        let flags = columns.next()?.split('|').map(str::trim);
        let classes = flags.filter_map(|flag| self.shorthands.get(flag)).flatten().cloned().collect();
        let name = row.split('"').nth(1)?;
        // `ioctl#64` and its like are numbers that an x32 program must not use.
        (!name.contains('#')).then(|| (number, Call { name: name.to_owned(), arguments, classes }))
    }
}
