//! The tables: what each group needs of the machine, and the package that brings it, as Debian calls it. What others call
//! it, `packages::names` says.

use super::Group;
use super::sign::Sign;

/// One thing that a group needs: a program, or a file that only the package brings.
pub(super) struct Need {
    pub(super) sign: Sign,
    /// As Debian calls it.
    pub(super) package: &'static str,
    pub(super) why: &'static str,
}

const fn program(name: &'static str, package: &'static str, why: &'static str) -> Need {
    Need { sign: Sign::Program(name), package, why }
}

const VM_EMULATOR: Need = if cfg!(target_arch = "aarch64") {
    program("qemu-system-aarch64", "qemu-system-arm", "runs the virtual machines")
} else {
    program("qemu-system-x86_64", "qemu-system-x86", "runs the virtual machines")
};

const VM: &[Need] = &[
    VM_EMULATOR,
    Need {
        sign: Sign::StaticProgram("busybox"),
        package: "busybox-static",
        why: "is the guest's init, without libraries",
    },
];

/// What starts a guest, whatever its processor.
const GUEST: &[Need] = &[
    program("cpio", "cpio", "packs the guest's initramfs"),
    program("depmod", "kmod", "orders the modules of Debian's kernels"),
    program("xz", "xz-utils", "unpacks those modules"),
    program("setpriv", "util-linux", "ends a guest with its xtask"),
];

const ARM64: &[Need] = &[
    program("qemu-system-aarch64", "qemu-system-arm", "runs virtual machines of arm64"),
    program("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu", "compiles and links for arm64"),
    Need {
        sign: Sign::File("/usr/aarch64-linux-gnu/lib/libc.a"),
        package: "libc6-dev-arm64-cross",
        why: "is the C library of arm64",
    },
];

const KERNEL_BUILD: &[Need] = &[
    program("cc", "gcc", "compiles the kernel"),
    program("make", "make", "builds the kernel"),
    program("bc", "bc", "is called by the kernel's build"),
    program("bison", "bison", "is called by the kernel's build"),
    program("flex", "flex", "is called by the kernel's build"),
    program("pahole", "dwarves", "makes the kernel's BTF"),
    program("zstd", "zstd", "compresses the kernel"),
    program("rsync", "rsync", "is called by the kernel's build"),
    Need { sign: Sign::Header("gelf.h"), package: "libelf-dev", why: "is used by the kernel's objtool" },
    Need { sign: Sign::Header("openssl/bio.h"), package: "libssl-dev", why: "is used by the kernel's build" },
    Need {
        sign: Sign::File("/usr/src/linux-source-6.12.tar.xz"),
        package: "linux-source-6.12",
        why: "is the kernel's source",
    },
];

/// What packs the Debian package, and the tarball.
const DEB: &[Need] = &[
    program("git", "git", "names the commit"),
    program("tar", "tar", "packs the tarball"),
    program("gzip", "gzip", "compresses the tarball and the manual"),
    program("xz", "xz-utils", "compresses the Debian package"),
];

/// What tries them, beside virtual machines and containers.
const DIST: &[Need] = &[program("dpkg", "dpkg", "installs the Debian package in a guest")];

const CONTAINERS: &[Need] = &[
    program("podman", "podman", "runs containers in a guest"),
    program("crun", "crun", "is podman's runtime"),
];

const DEMO: &[Need] = &[
    program("redis-server", "redis-server", "is a victim"),
    program("redis-cli", "redis-tools", "asks the victim"),
    program("ping", "iputils-ping", "sends what is lost"),
];

const TEST: &[Need] = &[
    program("cc", "gcc", "compiles the tests' victims"),
    // Not `gcc-multilib`, beside which Debian does not allow compilers for arm64.
    Need { sign: Sign::Compiles32, package: "gcc-12-multilib", why: "compiles 32-bit victims" },
    program("redis-server", "redis-server", "is a victim"),
    program("redis-cli", "redis-tools", "asks the victim"),
    program("sqlite3", "sqlite3", "is a victim"),
    program("pg_ctlcluster", "postgresql", "is a victim"),
    program("fio", "fio", "is a victim"),
    program("curl", "curl", "is a victim"),
    program("etcd", "etcd-server", "is a victim"),
    program("etcdctl", "etcd-client", "asks the victim"),
    program("dnsmasq", "dnsmasq-base", "answers the tests' DNS"),
    program("python3", "python3", "is a victim"),
    program("ip", "iproute2", "makes the tests' networks"),
    program("nft", "nftables", "makes the tests' NAT"),
    program("ping", "iputils-ping", "sends the tests' ICMP"),
    program("pgrep", "procps", "looks for processes left behind"),
];

/// What has to be installed for `group`.
pub(super) fn of(group: Group) -> impl Iterator<Item = &'static Need> {
    let lists: &[&[Need]] = match group {
        // The compiler and the linker depend on each other: see `toolchain`.
        Group::Bpf => &[],
        Group::Vm => &[VM, GUEST],
        Group::Arm64 => &[ARM64, GUEST],
        Group::KernelBuild => &[KERNEL_BUILD],
        Group::Demo => &[DEMO],
        Group::Test => &[TEST, CONTAINERS],
        Group::Deb => &[DEB],
        Group::Dist => &[DIST, CONTAINERS, DEB],
    };
    lists.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::packages::names;

    #[test]
    fn every_package_has_its_name_elsewhere() {
        for need in Group::value_variants().iter().flat_map(|&group| of(group)) {
            assert!(names::known(need.package), "{} is not in packages/names.rs", need.package);
        }
    }
}
