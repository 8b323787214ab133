//! What other distributions call Debian's packages. Taken from their lists of packages, and not tried there.

use super::distribution::Distribution;

/// By Debian, Fedora and Arch; empty where there is none that would do. Debian's `postgresql` brings `pg_ctlcluster`, and
/// `linux-source-6.12` that very source, which the others have not.
const NAMES: &[(&str, &str, &str)] = &[
    ("bc", "bc", "bc"),
    ("bison", "bison", "bison"),
    ("busybox-static", "busybox", "busybox"),
    ("coreutils", "coreutils", "coreutils"),
    ("cpio", "cpio", "cpio"),
    ("crun", "crun", "crun"),
    ("curl", "curl", "curl"),
    ("dnsmasq-base", "dnsmasq", "dnsmasq"),
    ("dpkg", "dpkg", "dpkg"),
    ("dwarves", "dwarves", "pahole"),
    ("etcd-client", "etcd", ""),
    ("etcd-server", "etcd", ""),
    ("fio", "fio", "fio"),
    ("flex", "flex", "flex"),
    ("gcc", "gcc", "gcc"),
    ("gcc-aarch64-linux-gnu", "gcc-aarch64-linux-gnu", "aarch64-linux-gnu-gcc"),
    ("gcc-12-multilib", "glibc-devel.i686 libgcc.i686", "lib32-glibc lib32-gcc-libs"),
    ("git", "git", "git"),
    ("gzip", "gzip", "gzip"),
    ("iproute2", "iproute", "iproute2"),
    ("iputils-ping", "iputils", "iputils"),
    ("kmod", "kmod", "kmod"),
    ("libc6-dev-arm64-cross", "", "aarch64-linux-gnu-glibc"),
    ("libelf-dev", "elfutils-libelf-devel", "libelf"),
    ("libssl-dev", "openssl-devel", "openssl"),
    ("libzstd-dev", "libzstd-devel", "zstd"),
    ("linux-source-6.12", "", ""),
    ("make", "make", "make"),
    ("nftables", "nftables", "nftables"),
    ("podman", "podman", "podman"),
    ("postgresql", "", ""),
    ("procps", "procps-ng", "procps-ng"),
    ("python3", "python3", "python"),
    ("qemu-system-arm", "qemu-system-aarch64-core", "qemu-system-aarch64"),
    ("qemu-system-x86", "qemu-system-x86-core", "qemu-system-x86"),
    ("redis-server", "valkey-compat-redis", "valkey"),
    ("redis-tools", "valkey-compat-redis", "valkey"),
    ("rsync", "rsync", "rsync"),
    ("rust-web-src", "rust-src", "rust-src"),
    ("rustc-web", "rust cargo", "rust"),
    ("sqlite3", "sqlite", "sqlite"),
    ("tar", "tar", "tar"),
    ("util-linux", "util-linux", "util-linux"),
    ("xz-utils", "xz", "xz"),
    ("zlib1g-dev", "zlib-ng-compat-devel", "zlib"),
    ("zstd", "zstd", "zstd"),
];

/// Where Ubuntu 24.04 has another name, or none; all others are the same there.
const UBUNTU: [(&str, &str); 4] = [
    ("gcc-12-multilib", "gcc-13-multilib"),
    ("linux-source-6.12", ""),
    ("rust-web-src", ""),
    ("rustc-web", ""),
];

/// What `distribution` calls Debian's `package`.
pub(crate) fn on(distribution: Distribution, package: &str) -> Option<&str> {
    // The version is that of the compiler's LLVM; the others have one at a time.
    let (fedora, arch) = if is_llvm(package) {
        ("llvm-devel", "llvm")
    } else {
        let (_, fedora, arch) = NAMES.iter().find(|(debian, ..)| *debian == package)?;
        (*fedora, *arch)
    };
    let name = match distribution {
        Distribution::Debian => package,
        Distribution::Ubuntu => {
            UBUNTU.iter().find(|(debian, _)| *debian == package).map_or(package, |(_, ubuntu)| ubuntu)
        }
        Distribution::Fedora => fedora,
        Distribution::Arch => arch,
    };
    (!name.is_empty()).then_some(name)
}

fn is_llvm(package: &str) -> bool {
    package.strip_prefix("llvm-").is_some_and(|rest| rest.ends_with("-dev"))
}

/// Is it in the table?
#[cfg(test)]
pub(crate) fn known(package: &str) -> bool {
    NAMES.iter().any(|(debian, ..)| *debian == package)
}
