//! What the kernel's source says: the tables of system calls, and the macros that define the functions
//! behind them. The tables' abi column is filtered as the architectures' makefiles do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::parameter::Parameter;
use super::{Abi, text};

/// Which files of an archive hold it all.
pub(super) const FILES: &[&str] = &[
    "*/Makefile",
    "*/Makefile.syscalls",
    "*/arch/arm64/*.c",
    "*/arch/arm64/tools/syscall_32.tbl",
    "*/arch/x86/*.c",
    "*/arch/x86/entry/syscalls/syscall_*.tbl",
    "*/block/*.c",
    "*/drivers/char/random.c",
    "*/drivers/pci/syscall.c",
    "*/fs/*.c",
    "*/io_uring/*.c",
    "*/ipc/*.c",
    "*/kernel/*.c",
    "*/mm/*.c",
    "*/net/*.c",
    "*/scripts/syscall.tbl",
    "*/security/*.c",
];

/// The folders below the root that are searched for definitions.
const FOLDERS: [&str; 12] = [
    "arch/arm64",
    "arch/x86",
    "block",
    "drivers/char",
    "drivers/pci",
    "fs",
    "io_uring",
    "ipc",
    "kernel",
    "mm",
    "net",
    "security",
];

/// A call as its table has it.
pub(super) struct Call {
    pub(super) name: String,
    pub(super) entry: Option<String>,
}

/// One kernel's source.
pub(super) struct Kernel {
    pub(super) version: String,
    tables: BTreeMap<Abi, String>,
    /// `syscall_abis_64 +=` of arm64: which optional groups of calls it has.
    arm64_groups: Vec<String>,
    /// `#define __arm64_sys_A __arm64_sys_B`: native calls with another function than their table says.
    arm64_renamed: BTreeMap<String, String>,
    /// The parameters of each function, by architecture (empty for what all share).
    definitions: BTreeMap<(&'static str, String), BTreeSet<Vec<Parameter>>>,
}

impl Kernel {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let makefile = text(root, "Makefile")?;
        let part = |name: &str| {
            let value = makefile.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_prefix('='));
            value.map(str::trim).with_context(|| format!("no {name} in the kernel's Makefile"))
        };
        let version = format!("{}.{}.{}", part("VERSION")?, part("PATCHLEVEL")?, part("SUBLEVEL")?);
        let mut tables = BTreeMap::new();
        for abi in Abi::ALL {
            tables.insert(abi, text(root, table(abi))?);
        }
        let groups = text(root, "arch/arm64/kernel/Makefile.syscalls")?;
        let groups = groups.lines().filter_map(|line| line.strip_prefix("syscall_abis_64 +="));
        let renamed = text(root, "arch/arm64/kernel/sys.c")?;
        let renamed = renamed.lines().filter_map(|line| {
            let (from, to) = line.strip_prefix("#define __arm64_sys_")?.split_once(char::is_whitespace)?;
            Some((format!("sys_{from}"), to.trim().strip_prefix("__arm64_")?.to_owned()))
        });
        let mut kernel = Self {
            version,
            tables,
            arm64_groups: groups.flat_map(str::split_whitespace).map(str::to_owned).collect(),
            arm64_renamed: renamed.collect(),
            definitions: BTreeMap::new(),
        };
        for folder in FOLDERS {
            let arch = match folder {
                "arch/arm64" => "arm64",
                "arch/x86" => "x86",
                _ => "",
            };
            kernel.define_all(&root.join(folder), arch)?;
        }
        Ok(kernel)
    }

    /// The calls of `abi` by number.
    pub(super) fn calls(&self, abi: Abi) -> Result<BTreeMap<u32, Call>> {
        let mut calls = BTreeMap::new();
        for line in self.tables[&abi].lines() {
            let line = line.split('#').next().unwrap_or_default();
            let columns: Vec<&str> = line.split_whitespace().collect();
            let [number, group, name, entries @ ..] = columns.as_slice() else { continue };
            if !self.has_group(abi, group) {
                continue;
            }
            let number = number.parse().with_context(|| format!("in {}: {line}", table(abi)))?;
            let native = entries.first().copied();
            let compat = entries.get(1).copied().filter(|entry| *entry != "-");
            let entry = match abi {
                Abi::I386 | Abi::Arm => compat.or(native),
                Abi::X86_64 | Abi::X32 => native,
                Abi::Arm64 => native.map(|entry| self.arm64_renamed.get(entry).map_or(entry, String::as_str)),
            };
            let entry = entry.filter(|entry| *entry != "sys_ni_syscall").map(str::to_owned);
            calls.insert(number, Call { name: (*name).to_owned(), entry });
        }
        Ok(calls)
    }

    /// The highest number that all ABIs share.
    pub(super) fn newest(&self) -> Result<u32> {
        let calls = self.calls(Abi::Arm64)?;
        calls.last_key_value().map(|(number, _)| *number).context("arm64's table of system calls is empty")
    }

    /// The parameters that the function `entry` takes; several answers where its definition depends on
    /// the kernel's configuration, none where it is not defined by the usual macro.
    pub(super) fn parameters(&self, abi: Abi, entry: &str) -> Vec<Vec<Parameter>> {
        let arch = match abi {
            Abi::X86_64 | Abi::I386 | Abi::X32 => "x86",
            Abi::Arm64 | Abi::Arm => "arm64",
        };
        let all = [arch, ""].iter().find_map(|arch| self.definitions.get(&(*arch, entry.to_owned())));
        all.map(|all| all.iter().cloned().collect()).unwrap_or_default()
    }

    /// Does this ABI have the calls that its table puts under `group`?
    fn has_group(&self, abi: Abi, group: &str) -> bool {
        match abi {
            Abi::X86_64 => matches!(group, "common" | "64"),
            Abi::X32 => matches!(group, "common" | "x32"),
            Abi::I386 => group == "i386",
            Abi::Arm64 => matches!(group, "common" | "64") || self.arm64_groups.iter().any(|g| g == group),
            Abi::Arm => matches!(group, "common" | "32"),
        }
    }

    /// Notes the definitions in all C files below `folder`.
    fn define_all(&mut self, folder: &Path, arch: &'static str) -> Result<()> {
        let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
            if path.is_dir() {
                self.define_all(&path, arch)?;
            } else if path.extension().is_some_and(|extension| extension == "c") {
                let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                for (entry, parameters) in definitions(&String::from_utf8_lossy(&bytes)) {
                    self.definitions.entry((arch, entry)).or_default().insert(parameters);
                }
            }
        }
        Ok(())
    }
}

const fn table(abi: Abi) -> &'static str {
    match abi {
        Abi::X86_64 | Abi::X32 => "arch/x86/entry/syscalls/syscall_64.tbl",
        Abi::I386 => "arch/x86/entry/syscalls/syscall_32.tbl",
        // What arch/arm64/tools/syscall_64.tbl is a link to.
        Abi::Arm64 => "scripts/syscall.tbl",
        Abi::Arm => "arch/arm64/tools/syscall_32.tbl",
    }
}

/// The functions that `source` defines by `SYSCALL_DEFINE3(name, …)` and its relatives, with their
/// parameters. `SYSCALL32_DEFINE` is the compat macro on 64-bit machines (include/linux/syscalls.h).
fn definitions(source: &str) -> Vec<(String, Vec<Parameter>)> {
    let mut found = Vec::new();
    for (at, macro_name) in source.match_indices("_DEFINE") {
        let before = &source[..at];
        let compat = before.ends_with("COMPAT_SYSCALL") || before.ends_with("SYSCALL32");
        if !compat && !before.ends_with("SYSCALL") {
            continue;
        }
        let rest = &source[at + macro_name.len()..];
        let Some((count, rest)) = rest.split_once('(') else { continue };
        let Ok(count) = count.parse::<usize>() else { continue };
        let Some((inside, _)) = rest.split_once(')') else { continue };
        let mut pieces = inside.split(',').map(str::trim);
        let Some(name) = pieces.next().filter(|name| !name.is_empty()) else { continue };
        // Some types have commas of their own (`arg_u32p(lo)` has a closing bracket, too): then only the
        // count is known.
        let pieces: Vec<_> = pieces.filter(|piece| !piece.is_empty()).collect();
        let parameters = if pieces.len() == 2 * count {
            pieces.chunks(2).map(|pair| Parameter::new(pair[0], pair[1])).collect()
        } else {
            Parameter::unknown(count)
        };
        let prefix = if compat { "compat_sys" } else { "sys" };
        found.push((format!("{prefix}_{name}"), parameters));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::definitions;

    #[test]
    fn all_forms_of_the_macro_are_read() {
        let source = "SYSCALL_DEFINE2(gettimeofday, struct __kernel_old_timeval __user *, tv,\n\
                      \t\tstruct timezone __user *, tz)\n\
                      COMPAT_SYSCALL_DEFINE0(rt_sigreturn)\nSYSCALL32_DEFINE3(\n\tfanotify_mark,\n\
                      \tint, fanotify_fd, unsigned int, flags, arg_u32p(mask))\n\
                      #define X(x) __SYSCALL_DEFINEx(x)\nDEFINE_MUTEX(a)";
        let found = definitions(source);
        let shown: Vec<_> = found
            .iter()
            .map(|(name, all)| (name.as_str(), all.iter().map(ToString::to_string).collect::<Vec<_>>()))
            .collect();
        let expected: [(&str, Vec<String>); 3] = [
            ("sys_gettimeofday", vec!["tv:p".into(), "tz:p".into()]),
            ("compat_sys_rt_sigreturn", vec![]),
            ("compat_sys_fanotify_mark", vec!["arg0:z".into(), "arg1:z".into(), "arg2:z".into()]),
        ];
        assert_eq!(shown, expected);
    }
}
