//! Containers: podman with crun, from a folder, without a registry.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use injector_tests::{cgroup, guest::Kernel, injector::Injector, victim};

use crate::on;

/// podman with a store of its own in `folder`, and what is to be done.
fn podman(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("podman");
    let place = |name: &str| folder.join(name).display().to_string();
    command.args(["--root", &place("store"), "--runroot", &place("run"), "--storage-driver", "vfs"]);
    command.args(["--cgroup-manager", "cgroupfs", "--runtime", "crun", "--events-backend", "none"]);
    command.args(words).stdin(Stdio::null());
    command
}

/// A root of busybox alone.
fn root(folder: &Path) -> Result<String> {
    let root = folder.join("root");
    for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(name))?;
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).context("busybox-static is needed")?;
    for name in ["cat", "sh", "sleep"] {
        symlink("busybox", root.join("bin").join(name))?;
    }
    fs::write(root.join("etc/note"), "read\n")?;
    Ok(root.display().to_string())
}

/// Limits, namespaces, seccomp and all; and its calls fail by its cgroup.
#[test]
fn calls_of_a_container_fail() -> Result<()> {
    if !on(Kernel::FaultInjection)? {
        return Ok(());
    }
    let folder = victim::folder()?;
    let root = root(folder.path())?;
    let start = ["run", "--detach", "--name", "victim", "--network", "none", "--log-driver", "none"];
    let limits = ["--memory", "64m", "--pids-limit", "50", "--rootfs", &root, "/bin/sleep", "1000"];
    let started = podman(folder.path(), &[&start[..], &limits].concat()).output()?;
    ensure!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    let read = || podman(folder.path(), &["exec", "victim", "/bin/cat", "/etc/note"]).output();
    let first = read()?;
    ensure!(first.status.success() && first.stdout == b"read\n", "{first:?}");

    let number = podman(folder.path(), &["inspect", "--format", "{{.State.Pid}}", "victim"]).output()?;
    let number = String::from_utf8(number.stdout)?;
    let place = fs::read_to_string(format!("/proc/{}/cgroup", number.trim()))?;
    let place = place.trim().strip_prefix("0::/").context("no cgroup")?.to_owned();
    let rule = "openat:error=EIO:path=/etc/note";
    let mut injector = Injector::attach(&Path::new(cgroup::MOUNT).join(place), rule)?.json().start()?;
    injector.begun()?;
    let second = read()?;
    ensure!(!second.status.success(), "{second:?}");
    ensure!(String::from_utf8_lossy(&second.stderr).contains("Input/output error"), "{second:?}");
    let finished = injector.interrupt()?.expect(0)?;
    ensure!(finished.report()?.rules[0].fired > 0, "{}", finished.stdout);
    ensure!(read()?.status.success());
    podman(folder.path(), &["rm", "--force", "--time", "0", "victim"]).output()?;
    Ok(())
}
