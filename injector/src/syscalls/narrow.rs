//! Calls that only 32-bit programs have. Whoever names one by itself has mostly found it in a manual page, which tells
//! what the C library has, and means the call that 64-bit programs make in its place.

use crate::syscalls::{Machine, table};

/// Names of the calls of 64-bit programs that no rule below finds.
const OTHERWISE: [(&str, &str); 16] = [
    ("_llseek", "lseek"),
    ("_newselect", "select"),
    ("fadvise64_64", "fadvise64"),
    ("fstatat64", "newfstatat"),
    ("nice", "setpriority"),
    ("oldfstat", "fstat"),
    ("oldlstat", "lstat"),
    ("oldolduname", "uname"),
    ("olduname", "uname"),
    ("oldstat", "stat"),
    ("readdir", "getdents"),
    ("signal", "rt_sigaction"),
    ("stime", "clock_settime"),
    ("ugetrlimit", "getrlimit"),
    ("umount", "umount2"),
    ("waitpid", "wait4"),
];

/// Is there no call of this name that a 64-bit program could make?
pub fn is_narrow(name: &str, machine: Machine) -> bool {
    let native = machine.abis().first();
    let mut same = table::all(machine).filter(|entry| entry.name == name && entry.is_implemented());
    same.all(|entry| Some(&entry.call.abi) != native)
}

/// What a 64-bit program calls in place of `name`, if there is such a call.
pub fn wide(name: &str, machine: Machine) -> Option<String> {
    let otherwise = OTHERWISE.iter().find(|(narrow, _)| *narrow == name).map(|(_, wide)| (*wide).to_owned());
    let suffixes = ["_time64", "64", "32", "2"];
    let shorter = suffixes.iter().filter_map(|suffix| name.strip_suffix(suffix)).map(str::to_owned);
    let longer = [format!("rt_{name}"), format!("new{name}")];
    otherwise.into_iter().chain(longer).chain(shorter).find(|wide| !is_narrow(wide, machine))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_32_bit_programs_have_is_known() {
        let machine = Machine::X86_64;
        for (name, expected) in [
            ("umount", Some("umount2")),
            ("waitpid", Some("wait4")),
            ("sigaction", Some("rt_sigaction")),
            ("stat64", Some("stat")),
            ("mmap2", Some("mmap")),
            ("clock_gettime64", Some("clock_gettime")),
            ("futex_time64", Some("futex")),
            ("getuid32", Some("getuid")),
            ("socketcall", None),
        ] {
            assert!(is_narrow(name, machine), "{name}");
            assert_eq!(wide(name, machine).as_deref(), expected, "{name}");
        }
        for name in ["read", "umount2", "pread64", "newfstatat", "wait4"] {
            assert!(!is_narrow(name, machine), "{name}");
        }
    }
}
