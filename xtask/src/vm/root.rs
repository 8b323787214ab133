//! The files that a guest of another processor sees instead of the host's: Debian's packages for it, unpacked side by
//! side into a folder. Their scripts are never run, since the host cannot; what a guest needs of what those would have
//! done is done here.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::apt::{self, Apt};
use crate::architecture::Architecture;
use crate::checkout;

/// With all that they depend on: what the tests use, besides programs of their own.
const PACKAGES: [&str; 21] = [
    "base-passwd",
    "busybox-static",
    "coreutils",
    "curl",
    "dash",
    "dnsmasq-base",
    "findutils",
    "grep",
    "iproute2",
    "iputils-ping",
    "kmod",
    "libc-bin",
    "mount",
    "nftables",
    "procps",
    "python3",
    "redis-server",
    "redis-tools",
    "sed",
    "sqlite3",
    "util-linux",
];

/// Where no program looks.
const LEFT_OUT: [&str; 4] =
    ["./usr/share/doc/*", "./usr/share/locale/*", "./usr/share/man/*", "./usr/share/i18n/*"];

/// The folder; made now if it is not there.
pub(super) fn ready(architecture: Architecture) -> Result<PathBuf> {
    let store = checkout::target().join("roots");
    let folder = store.join(format!("{}-{:016x}", architecture.debian(), fingerprint()));
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(&store).with_context(|| format!("cannot make {}", store.display()))?;
    let partial = tempfile::tempdir_in(&store).context("cannot make a folder for a guest's files")?;
    eprintln!("vm: downloading Debian's packages for {}", architecture.debian());
    links(partial.path())?;
    for package in Apt(architecture).download_all(&PACKAGES)? {
        apt::unpack(&package, partial.path(), &LEFT_OUT.map(str::to_owned))?;
    }
    settle(partial.path()).context("cannot complete a guest's files")?;
    let renamed = fs::rename(partial.path(), &folder);
    // Another xtask may have been faster; its folder is as good.
    if !folder.is_dir() {
        renamed.with_context(|| format!("cannot make {}", folder.display()))?;
    }
    // It has another name now: there is nothing to remove.
    let _ = partial.keep();
    Ok(folder)
}

/// Of the list of packages: another list makes another folder. FNV-1a.
fn fingerprint() -> u64 {
    let bytes = PACKAGES.iter().flat_map(|name| name.bytes().chain([b' ']));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Debian has its programs below /usr, and links in the places where others look for them.
fn links(root: &Path) -> Result<()> {
    for name in ["bin", "lib", "sbin"] {
        fs::create_dir_all(root.join("usr").join(name)).context("cannot make a guest's folders")?;
        symlink(Path::new("usr").join(name), root.join(name)).context("cannot make a guest's folders")?;
    }
    Ok(())
}

/// What the packages' scripts do: users, folders to mount on, the shell, names.
fn settle(root: &Path) -> Result<()> {
    for folder in ["dev", "etc", "mnt", "proc", "root", "run", "sys", "tmp", "var/lib", "var/tmp"] {
        fs::create_dir_all(root.join(folder))?;
    }
    for name in ["passwd", "group"] {
        fs::copy(root.join(format!("usr/share/base-passwd/{name}.master")), root.join("etc").join(name))?;
    }
    fs::write(root.join("etc/hostname"), "guest\n")?;
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n::1 localhost\n")?;
    fs::write(root.join("etc/nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files dns\n")?;
    for (link, to) in [("usr/bin/sh", "dash"), ("usr/bin/awk", "busybox"), ("usr/bin/nc", "busybox")] {
        if fs::symlink_metadata(root.join(link)).is_err() {
            symlink(to, root.join(link))?;
        }
    }
    Ok(())
}
