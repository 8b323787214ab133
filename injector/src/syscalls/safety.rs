//! Calls that no rule touches, and calls that a rule touches only with `--unsafe`.
//!
//! A failure injected at a call's entry means that the kernel did not do it. For most calls that is a
//! case their callers have to expect. The calls here are those whose failure nearly every program takes
//! for impossible, so that it would meet damage instead of an error.

/// May rules act on a call?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// Yes.
    Free,
    /// Only with `--unsafe`, because of this.
    Dangerous(&'static str),
    /// No, because of this.
    Never(&'static str),
}

const NEVER: [(&str, &str); 6] = [
    ("exit", "a thread that cannot end runs on into whatever follows"),
    ("exit_group", "a process that cannot end runs on into whatever follows"),
    ("restart_syscall", "the kernel makes this call itself, to go on with an interrupted one"),
    ("rt_sigreturn", "a signal handler that cannot return runs on into whatever follows"),
    ("sigreturn", "a signal handler that cannot return runs on into whatever follows"),
    ("uretprobe", "the kernel's own probes make this call, not the program"),
];

const CLOSE: &str = "the descriptor stays open and its owner forgets it, so files, locks and peers hang";
const FUTEX: &str = "a lock that can neither wait nor wake leaves its threads spinning or asleep for ever";
const MASK: &str = "libc blocks signals around fork and thread creation and never asks whether it worked";
const TLS: &str = "no program gets through its start without its thread-local storage";
const SELF: &str =
    "it cannot fail, so nobody checks: kill(getpid(), …) would become kill(-1, …), every process";

const DANGEROUS: [(&str, &str); 17] = [
    ("arch_prctl", TLS),
    ("close", CLOSE),
    ("close_range", CLOSE),
    ("futex", FUTEX),
    ("futex_requeue", FUTEX),
    ("futex_time64", FUTEX),
    ("futex_wait", FUTEX),
    ("futex_waitv", FUTEX),
    ("futex_wake", FUTEX),
    ("getpgrp", SELF),
    ("getpid", SELF),
    ("getppid", SELF),
    ("munmap", "the memory stays mapped while its owner believes it gone, until there is none left"),
    ("rt_sigprocmask", MASK),
    ("set_thread_area", TLS),
    ("set_tid_address", "libc takes the result for the thread's number and never checks it"),
    ("sigprocmask", MASK),
];

/// Of the dangerous ones, those that have done their work when the caller is told otherwise.
const DONE: [&str; 5] = ["close", "close_range", "munmap", "rt_sigprocmask", "sigprocmask"];

/// What holds for the calls of this name, under every ABI, when they fail without having run, or
/// (`has_run`) when they have run and their callers are told otherwise.
pub(super) fn safety(name: &str, has_run: bool) -> Safety {
    match reasons(name) {
        Safety::Dangerous(_) if has_run && DONE.contains(&name) => Safety::Free,
        safety => safety,
    }
}

fn reasons(name: &str) -> Safety {
    let reason =
        |list: &[(&str, &'static str)]| list.iter().find(|(known, _)| *known == name).map(|known| known.1);
    if let Some(reason) = reason(&NEVER) {
        Safety::Never(reason)
    } else if let Some(reason) = reason(&DANGEROUS) {
        Safety::Dangerous(reason)
    } else {
        Safety::Free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::{Machine, all};

    #[test]
    fn every_name_of_the_lists_is_a_system_call() {
        for (name, reason) in NEVER.iter().chain(&DANGEROUS) {
            let known = |machine| all(machine).any(|entry| entry.name == *name);
            assert!(known(Machine::X86_64) || known(Machine::Arm64), "{name}");
            assert!(!reason.is_empty());
        }
    }

    #[test]
    fn what_a_program_has_to_expect_is_free() {
        for name in ["fsync", "mmap", "brk", "execve", "openat", "clone", "rseq", "set_robust_list"] {
            assert_eq!(safety(name, false), Safety::Free, "{name}");
        }
        assert!(matches!(safety("exit_group", true), Safety::Never(_)));
        assert!(matches!(safety("close", false), Safety::Dangerous(_)));
        assert_eq!(safety("close", true), Safety::Free);
        assert!(matches!(safety("getpid", true), Safety::Dangerous(_)));
    }
}
