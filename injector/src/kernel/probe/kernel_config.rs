//! The kernel's own word on how it was built and locked, and what hides it: options, lockdown, mounts. Only to
//! explain what a probe found; never to decide.

use std::{fs, io::Read, path::Path, process::Command};

use crate::target::{MountLine, Procfs};

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

/// Where the kernel tells it.
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

/// Can it be known whether the kernel is locked down?
pub fn tells_lockdown() -> bool {
    Path::new(LOCKDOWN).exists()
}

/// The lockdown level in force, if any: `integrity` or `confidentiality`. None is told either where securityfs is not
/// mounted, as in containers.
pub fn lockdown() -> Option<String> {
    let text = fs::read_to_string(LOCKDOWN).ok()?;
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
        return version.contains(" PREEMPT ") || version.contains(REAL_TIME);
    }
    ["CONFIG_PREEMPT", "CONFIG_PREEMPT_LAZY"].iter().any(|name| option(name) == OptionState::On)
}

/// What the version of a real-time kernel (`CONFIG_PREEMPT_RT`) has in it.
const REAL_TIME: &str = " PREEMPT_RT ";

/// Is it a real-time kernel? There softirqs are threads like others.
pub fn real_time() -> bool {
    fs::read_to_string("/proc/version").is_ok_and(|version| version.contains(REAL_TIME))
}

/// What is in the way of a file that the kernel shows below /sys, if something is.
pub fn hidden(path: &Path) -> Option<String> {
    let mounts = Procfs::default().mounts().ok()?;
    over(path, &mounts)
}

/// The mount that `path` is in, unless it is the kernel's own. Later ones are on top.
fn over(path: &Path, mounts: &[MountLine]) -> Option<String> {
    let above = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    let mount = above.max_by_key(|mount| mount.point.components().count())?;
    if mount.kind == "sysfs" {
        None
    } else if mount.point.starts_with("/sys") {
        Some(format!("a file system ({}) is mounted over it at {}", mount.kind, mount.point.display()))
    } else {
        Some("no sysfs is mounted at /sys".into())
    }
}

/// The active security modules as the kernel lists them, where it does.
pub fn security_modules() -> Option<String> {
    Some(fs::read_to_string("/sys/kernel/security/lsm").ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_a_file_of_the_kernels() {
        let mount = |point: &str, kind: &str| MountLine {
            id: 0,
            parent: 0,
            root: "/".into(),
            point: point.into(),
            kind: kind.into(),
        };
        let file = Path::new("/sys/kernel/btf/vmlinux");
        let (root, sys) = (mount("/", "ext4"), mount("/sys", "sysfs"));
        let over = |mounts: &[MountLine]| over(file, mounts).unwrap_or_default();
        assert_eq!(over(&[root.clone(), sys.clone(), mount("/sys/kernel/security", "securityfs")]), "");
        assert!(over(std::slice::from_ref(&root)).contains("no sysfs"));
        let masked = [root, sys, mount("/sys/kernel/btf", "tmpfs")];
        assert!(over(&masked).contains("(tmpfs) is mounted over it at /sys/kernel/btf"));
        // By a device, as container engines mask files.
        assert!(over(&[mount("/sys/kernel/btf/vmlinux", "devtmpfs")]).contains("devtmpfs"));
        // The kernel's own once more, on top.
        let again = [mount("/sys/kernel/btf", "tmpfs"), mount("/sys/kernel/btf", "sysfs")];
        assert_eq!(over(&again), "");
    }
}
