//! The kernel's own word on how it was built and locked: options, lockdown, and what we may do. Only to
//! explain what a probe found; never to decide.

use std::{fs, io::Read, path::Path, process::Command};

/// Where a kernel's options may be found, in order.
fn config_text() -> Option<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    if Path::new("/proc/config.gz").exists() {
        // gzip is on every system; a missing one means the next place is tried.
        let output = Command::new("gzip").args(["-dc", "/proc/config.gz"]).output().ok();
        if let Some(output) = output.filter(|output| output.status.success()) {
            return String::from_utf8(output.stdout).ok();
        }
    }
    [format!("/boot/config-{release}"), format!("/lib/modules/{release}/config")]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok())
}

/// What is known about one option of the kernel's build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionState {
    /// Built in, or as a module.
    On,
    /// Not built.
    Off,
    /// No configuration can be read.
    Unknown,
}

/// The state of `name`, such as `CONFIG_BPF_KPROBE_OVERRIDE`.
pub fn option(name: &str) -> OptionState {
    let Some(text) = config_text() else { return OptionState::Unknown };
    let on = |line: &str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with("=y") || rest.starts_with("=m"))
    };
    if text.lines().any(on) { OptionState::On } else { OptionState::Off }
}

/// "the kernel was built without X" or what else can be said about it.
pub fn without(name: &str) -> String {
    match option(name) {
        OptionState::Off => format!("this kernel was built without {name}"),
        OptionState::Unknown => {
            format!("this kernel seems to be built without {name} (its options cannot be read)")
        }
        OptionState::On => format!("{name} is on, but the kernel refuses"),
    }
}

/// The lockdown level in force, if any: `integrity` or `confidentiality`.
pub fn lockdown() -> Option<String> {
    let text = fs::read_to_string("/sys/kernel/security/lockdown").ok()?;
    let level = text.split('[').nth(1)?.split(']').next()?;
    (level != "none").then(|| level.to_owned())
}

/// Does a kernel thread of control run preemptible code all the time (`preempt=full`)? Then a program can
/// be interrupted by another task that would run it too, and the kernel skips the second one.
pub fn fully_preemptible() -> bool {
    let mut mode = String::new();
    let debugfs = fs::File::open("/sys/kernel/debug/sched/preempt");
    if debugfs.is_ok_and(|mut file| file.read_to_string(&mut mode).is_ok()) {
        return mode.contains("(full)") || mode.contains("(lazy)");
    }
    if let Ok(cmdline) = fs::read_to_string("/proc/cmdline")
        && let Some(mode) =
            cmdline.split_whitespace().filter_map(|word| word.strip_prefix("preempt=")).next_back()
    {
        return mode == "full" || mode == "lazy";
    }
    let version = fs::read_to_string("/proc/version").unwrap_or_default();
    if !version.contains(" PREEMPT_DYNAMIC") {
        return version.contains(" PREEMPT ") || version.contains(" PREEMPT_RT ");
    }
    ["CONFIG_PREEMPT", "CONFIG_PREEMPT_LAZY"].iter().any(|name| option(name) == OptionState::On)
}

/// Capabilities by their bit (include/uapi/linux/capability.h).
const CAPABILITIES: [(u32, &str); 6] = [
    (12, "CAP_NET_ADMIN"),
    (19, "CAP_SYS_PTRACE"),
    (21, "CAP_SYS_ADMIN"),
    (24, "CAP_SYS_RESOURCE"),
    (38, "CAP_PERFMON"),
    (39, "CAP_BPF"),
];

/// Of the capabilities that injecting needs, those that this process has not got.
pub fn missing_capabilities() -> Vec<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = bits.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    let has = |bit: u32| bits & (1 << bit) != 0;
    let admin = has(21);
    let needed = [12, 38, 39];
    CAPABILITIES
        .iter()
        .filter(|(bit, _)| needed.contains(bit) && !has(*bit) && !(admin && *bit != 12))
        .map(|&(_, name)| name)
        .collect()
}

/// Why the kernel says "not permitted", and what to do.
pub fn permission() -> (String, String) {
    let missing = missing_capabilities();
    if !missing.is_empty() {
        return (
            format!("this process lacks {}", missing.join(", ")),
            "run it as root (sudo), or give it those capabilities".into(),
        );
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() != "0")) {
        return (
            "the capabilities are there, but a seccomp filter is in force and seems to block bpf(2) or perf_event_open(2)".into(),
            "run the container with a seccomp profile that allows them (docker: --security-opt seccomp=unconfined)".into(),
        );
    }
    if let Some(level) = lockdown() {
        return (
            format!("the kernel is locked down ({level})"),
            "boot with lockdown=integrity or none; `confidentiality` forbids kprobes and reading kernel memory".into(),
        );
    }
    (
        "the capabilities are there, but the kernel refuses, perhaps because this is a user namespace".into(),
        "run it in the initial user namespace".into(),
    )
}
