//! One parameter of a system call, as the table has it: its name, and how its register is to be read.

use std::fmt;

/// `fd:u`: a name and a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Parameter {
    name: String,
    /// `i` and `u`: 32 bits, with and without a sign; `l` and `z`: as long as a register; `p`: an address.
    kind: char,
}

impl Parameter {
    /// Of the type as it stands in the kernel's source.
    pub(super) fn new(kind: &str, name: &str) -> Self {
        Self { name: name.to_owned(), kind: kind_of(kind) }
    }

    /// So many of which nothing is known.
    pub(super) fn unknown(count: usize) -> Vec<Self> {
        (0..count).map(|nth| Self { name: format!("arg{nth}"), kind: 'z' }).collect()
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.kind)
    }
}

/// The kernel's own names of integer types that occur in its definitions (include/linux/types.h,
/// include/linux/compat.h, include/uapi/asm-generic/posix_types.h). What is not known is as long as a
/// register.
fn kind_of(text: &str) -> char {
    if text.contains('*') {
        return 'p';
    }
    let words: Vec<_> =
        text.split_whitespace().filter(|word| !matches!(*word, "const" | "volatile" | "enum")).collect();
    match words.as_slice() {
        [
            "int" | "pid_t" | "key_serial_t" | "clockid_t" | "mqd_t" | "timer_t" | "key_t" | "rwf_t" | "s32"
            | "__s32" | "landlock_rule_type" | "compat_int_t" | "compat_pid_t" | "compat_long_t"
            | "compat_off_t" | "compat_timer_t" | "compat_key_t" | "compat_clockid_t",
        ] => 'i',
        [
            "unsigned" | "u32" | "__u32" | "uid_t" | "gid_t" | "qid_t" | "umode_t" | "mode_t"
            | "compat_uint_t" | "compat_ulong_t" | "compat_size_t" | "compat_uptr_t" | "compat_mode_t"
            | "old_uid_t" | "old_gid_t",
        ]
        | ["unsigned", "int"] => 'u',
        ["long" | "off_t" | "loff_t" | "s64" | "__s64" | "old_time_t"] | ["long", "long"] => 'l',
        _ => 'z',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_say_how_a_register_is_read() {
        for (text, kind) in [
            ("unsigned int", 'u'),
            ("int", 'i'),
            ("const char __user *", 'p'),
            ("size_t", 'z'),
            ("unsigned long", 'z'),
            ("loff_t", 'l'),
            ("umode_t", 'u'),
        ] {
            assert_eq!(kind_of(text), kind, "{text}");
        }
        assert_eq!(Parameter::new("unsigned int", "fd").to_string(), "fd:u");
        assert_eq!(Parameter::unknown(2)[1].to_string(), "arg1:z");
    }
}
