//! The table itself: `table.tsv`, read once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use crate::syscalls::{
    abi::{Abi, Call, Machine},
    parameter::Parameter,
    safety::{Safety, safety},
};

/// What is known of one call.
#[derive(Debug)]
pub struct Entry {
    /// The call: its ABI and number.
    pub call: Call,
    /// Its name, as strace prints it.
    pub name: &'static str,
    /// What its function takes.
    pub parameters: Vec<Parameter>,
    /// The function behind it without the architecture's prefix, such as `sys_read`.
    function: Option<&'static str>,
    classes: &'static str,
}

impl Entry {
    /// Does the call belong to strace's class of this name (without the leading `%`)?
    pub fn is_in(&self, class: &str) -> bool {
        self.classes.split(',').any(|known| known == class)
    }

    /// Has the kernel a function for this call? A name without one always gives ENOSYS.
    pub const fn is_implemented(&self) -> bool {
        self.function.is_some()
    }

    /// May rules give it another result, before it runs or when it has run?
    pub fn safety(&self, has_run: bool) -> Safety {
        safety(self.name, has_run)
    }

    /// The kernel functions that are entered for this call and for nothing else in the call's ABI. All
    /// that exist are one address; the first that a kernel's symbols or BTF know will do.
    ///
    /// The names are those of arch/{x86,arm64}/include/asm/syscall_wrapper.h (Linux 6.12). On arm64 the
    /// same function serves 64-bit and 32-bit callers where no compat variant exists; on x86 x32 shares
    /// most functions with the 64-bit ABI.
    pub fn entry_points(&self) -> Vec<String> {
        let Some(function) = self.function else { return Vec::new() };
        let prefix = match self.call.abi {
            Abi::X86_64 | Abi::X32 => "__x64_",
            Abi::I386 => "__ia32_",
            Abi::Arm64 | Abi::Arm => "__arm64_",
        };
        let wrapper = format!("{prefix}{function}");
        // x86 makes the wrapper of a call without arguments an alias of its body (__SYS_STUB0). The body
        // comes first: it is one name for one address, where the aliases of two ABIs would be two. With
        // arguments the body is a function of its own, which others may call too.
        if self.parameters.is_empty() && self.call.abi.machine() == Machine::X86_64 {
            return vec![format!("__do_{function}"), wrapper];
        }
        vec![wrapper]
    }

    /// A line of the file; `None` for a comment.
    fn read(line: &'static str) -> Option<Self> {
        let mut columns = line.split('\t');
        let abi = Abi::from_name(columns.next()?)?;
        let number = abi.register(columns.next()?.parse().ok()?);
        let name = columns.next()?;
        let function = columns.next().filter(|function| *function != "-");
        let parameters = Parameter::read_all(columns.next()?, abi)?;
        let classes = columns.next()?;
        Some(Self { call: Call { abi, number }, name, parameters, function, classes })
    }
}

static FILE: &str = include_str!("table.tsv");

static TABLE: LazyLock<BTreeMap<Call, Entry>> =
    LazyLock::new(|| FILE.lines().filter_map(Entry::read).map(|entry| (entry.call, entry)).collect());

/// All calls of a machine, ABI by ABI, in the order of their numbers.
pub fn all(machine: Machine) -> impl Iterator<Item = &'static Entry> {
    TABLE.values().filter(move |entry| entry.call.abi.machine() == machine)
}

/// What is known of `call`; `None` if there is no such number.
pub fn get(call: Call) -> Option<&'static Entry> {
    TABLE.get(&call)
}

/// The names of all classes, without the leading `%`.
pub fn classes() -> BTreeSet<&'static str> {
    TABLE.values().flat_map(|entry| entry.classes.split(',')).filter(|class| *class != "-").collect()
}

/// Has any call a parameter of this name?
pub fn is_parameter(name: &str) -> bool {
    TABLE.values().flat_map(|entry| &entry.parameters).any(|parameter| parameter.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(abi: Abi, name: &str) -> &'static Entry {
        all(abi.machine()).find(|entry| entry.call.abi == abi && entry.name == name).unwrap()
    }

    #[test]
    fn every_line_is_read() {
        let lines = FILE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(TABLE.len(), lines);
        assert!(lines > 1900);
    }

    #[test]
    fn the_same_name_has_other_numbers() {
        let number = |abi, name| named(abi, name).call.number;
        assert_eq!(number(Abi::X86_64, "read"), 0);
        assert_eq!(number(Abi::I386, "read"), 3);
        assert_eq!(number(Abi::X32, "read"), 0x4000_0000);
        assert_eq!(number(Abi::X32, "ioctl"), 0x4000_0000 + 514);
        assert_eq!(number(Abi::Arm64, "read"), 63);
        assert_eq!(number(Abi::Arm, "read"), 3);
    }

    /// Against the numbers that this machine's libc was built with.
    #[test]
    fn the_native_numbers_are_libcs() {
        let native = Machine::HOST.abis()[0];
        for (name, number) in [
            ("openat", libc::SYS_openat),
            ("fsync", libc::SYS_fsync),
            ("clone3", libc::SYS_clone3),
            ("renameat2", libc::SYS_renameat2),
            ("mseal", libc::SYS_mseal),
        ] {
            assert_eq!(i64::from(named(native, name).call.number), number, "{name}");
        }
    }

    #[test]
    fn entry_points_follow_the_kernels_wrappers() {
        let points = |abi, name| named(abi, name).entry_points();
        assert_eq!(points(Abi::X86_64, "stat"), ["__x64_sys_newstat"]);
        assert_eq!(points(Abi::I386, "read"), ["__ia32_sys_read"]);
        assert_eq!(points(Abi::I386, "openat"), ["__ia32_compat_sys_openat"]);
        assert_eq!(points(Abi::X32, "read"), ["__x64_sys_read"]);
        assert_eq!(points(Abi::X32, "ioctl"), ["__x64_compat_sys_ioctl"]);
        assert_eq!(points(Abi::X86_64, "sync"), ["__do_sys_sync", "__x64_sys_sync"]);
        assert_eq!(points(Abi::I386, "getppid"), ["__do_sys_getppid", "__ia32_sys_getppid"]);
        assert_eq!(points(Abi::Arm64, "sync"), ["__arm64_sys_sync"]);
        assert_eq!(points(Abi::Arm64, "personality"), ["__arm64_sys_arm64_personality"]);
        assert_eq!(points(Abi::Arm, "read"), ["__arm64_sys_read"]);
        assert_eq!(points(Abi::Arm, "statfs64"), ["__arm64_compat_sys_aarch32_statfs64"]);
        assert!(points(Abi::X86_64, "vserver").is_empty());
    }

    #[test]
    fn parameters_have_names_and_kinds() {
        let flags = |abi, name| {
            let entry = named(abi, name);
            entry.parameters.iter().position(|parameter| parameter.name == "flags")
        };
        assert_eq!((flags(Abi::X86_64, "open"), flags(Abi::X86_64, "openat")), (Some(1), Some(2)));
        assert!(named(Abi::X86_64, "getppid").parameters.is_empty());
        let write = &named(Abi::X86_64, "write").parameters;
        assert_eq!(write[2], Parameter { name: "count", width: 64, signed: false });
        assert_eq!(named(Abi::I386, "write").parameters[2].width, 32);
        let pread = &named(Abi::X86_64, "pread64").parameters[3];
        assert_eq!((pread.width, pread.signed), (64, true));
        for entry in TABLE.values() {
            assert!(entry.parameters.len() <= 6, "{}", entry.name);
        }
    }

    #[test]
    fn calls_know_their_classes() {
        let open = named(Abi::X86_64, "open");
        assert!(open.is_in("file") && open.is_in("desc") && !open.is_in("network"));
        assert!(named(Abi::Arm64, "connect").is_in("net"));
        assert!(classes().contains("%stat"));
        assert_eq!(classes().len(), 18);
    }
}
