//! What a kernel says when something is wrong with it: the lines of a console that fail a run even
//! if the command in the guest was content.

/// Texts with which the kernel reports trouble of its own. Found in 6.1 and 6.12; the file is named
/// where the text is not plain.
const TROUBLE: [&str; 20] = [
    "Kernel panic - not syncing",
    "BUG: ",
    "WARNING: ",
    "kernel BUG at",
    "Oops: ",
    "general protection fault",
    "Unable to handle kernel",
    "detected stall",            // kernel/rcu/tree_stall.h: self-detected, and of others
    "detected expedited stalls", // kernel/rcu/tree_exp.h
    "kthread starved for",       // kernel/rcu/tree_stall.h
    "blocked for more than",     // kernel/hung_task.c
    "hard LOCKUP",
    "refcount_t: ",
    "list_add corruption",
    "list_del corruption",
    "Bad page state",
    "scheduling while atomic",
    "unregister_netdevice: waiting", // net/core/dev.c: somebody holds a device
    "verifier bug",                  // kernel/bpf/verifier.c
    "UBSAN: ",
];

/// Texts that only look like trouble.
const HARMLESS: [&str; 2] = [
    // arch/x86/kernel/cpu/bugs.c: we ask for `mitigations=off`.
    "WARNING: Spectre",
    "WARNING: Unprivileged eBPF",
];

/// How many lines after a report are shown with it: enough for the function's name and the trace.
const AFTER: usize = 12;
/// More reports than this say nothing new.
const MOST: usize = 5;

/// Bits of RFLAGS that are always 0: 3, 5, 15, and all from 22 up (Intel's manual, volume 1, section 3.4.3).
const NEVER_SET: u64 = 1 << 3 | 1 << 5 | 1 << 15 | !0 << 22;

/// The end of this kernel.
pub(super) fn is_panic(console: &str) -> bool {
    console.contains("Kernel panic - not syncing") || console.contains("end Kernel panic")
}

/// Whether the emulator broke down and took the kernel with it: a dump of registers shows flags that no x86-64
/// processor can have, such as bit 27 set. QEMU 7.2 keeps the flags in pieces, and was once seen to put them
/// together wrongly as an interrupt came.
pub(super) fn is_emulator_fault(console: &str) -> bool {
    let flags = |line: &'_ str| {
        let (_, rest) = line.split_once("EFLAGS: ")?;
        u64::from_str_radix(rest.split_whitespace().next()?, 16).ok()
    };
    is_panic(console)
        && console.lines().filter_map(flags).any(|flags| flags & NEVER_SET != 0 || flags & 2 == 0)
}

/// The reports of trouble in a console's text, each with the lines that follow it.
pub(super) fn trouble(console: &str) -> Vec<String> {
    let lines: Vec<&str> = console.lines().map(|line| line.trim_end_matches('\r')).collect();
    let mut found = Vec::new();
    let mut next = 0;
    while next < lines.len() && found.len() < MOST {
        let line = lines[next];
        if !is_trouble(line) {
            next += 1;
            continue;
        }
        let end = lines.len().min(next + 1 + AFTER);
        found.push(lines[next..end].join("\n"));
        next = end;
    }
    found
}

fn is_trouble(line: &str) -> bool {
    // "DEBUG: " is no "BUG: ".
    let whole = |text: &str| {
        line.match_indices(text).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric()))
    };
    TROUBLE.iter().any(|text| whole(text)) && !HARMLESS.iter().any(|text| line.contains(text))
}

#[cfg(test)]
mod tests {
    use super::{is_emulator_fault, is_panic, trouble};

    const QUIET: &str = "\
[    0.000000] Linux version 6.12.117\r
[    0.010000] tsc: Marking TSC unstable due to clocksource watchdog\r
[    0.020000] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on\r
[    0.025000] DEBUG: nothing\r
[    0.030000] overlayfs: upper fs does not support xattr\r
";

    #[test]
    fn an_ordinary_boot_is_no_trouble() {
        assert!(trouble(QUIET).is_empty());
        assert!(!is_panic(QUIET));
    }

    #[test]
    fn reports_come_with_their_trace() {
        let text = format!(
            "{QUIET}[    5.1] WARNING: CPU: 0 PID: 99 at kernel/bpf/verifier.c:100\r\n[    5.1] Call Trace:\r\n"
        );
        let found = trouble(&text);
        assert_eq!(found.len(), 1);
        assert!(found[0].ends_with("Call Trace:"), "{found:?}");
    }

    #[test]
    fn each_kind_of_hang_is_seen() {
        for line in [
            "rcu: INFO: rcu_preempt self-detected stall on CPU",
            "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
            "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [a:1]",
            "INFO: task sh:1 blocked for more than 122 seconds.",
            "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        ] {
            assert_eq!(trouble(line).len(), 1, "{line}");
        }
        assert!(is_panic("[ 1.0] Kernel panic - not syncing: Attempted to kill init!"));
    }

    #[test]
    fn impossible_flags_are_the_emulators() {
        let panic = |flags: &str| {
            format!(
                "[   49.7] Oops: double fault: 0000 [#1] PREEMPT SMP NOPTI\r\n\
                 [   49.7] RSP: 0018:ffffc900004d3748 EFLAGS: {flags}\r\n\
                 [   49.8] Kernel panic - not syncing: Fatal exception in interrupt\r\n"
            )
        };
        assert!(is_emulator_fault(&panic("081ab202")));
        assert!(is_emulator_fault(&panic("00000000")));
        for ordinary in ["00010246", "00000002", "00050082", "00210297"] {
            assert!(!is_emulator_fault(&panic(ordinary)), "{ordinary}");
        }
        assert!(!is_emulator_fault("[   49.7] RSP: 0018:ffffc900004d3748 EFLAGS: 081ab202"));
    }
}
