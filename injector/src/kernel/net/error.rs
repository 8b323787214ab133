//! Why packets cannot be reached.

use std::{io, path::Path};

use crate::kernel::net::side::{Mechanism, Side};

/// Why a network namespace is not the target's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Shared {
    /// Somebody else lives there.
    #[error(
        "network namespace {inode} is not the target's own: process {pid} ({comm}) lives in it as well, and at a device \
         it is not known yet whose packet it is"
    )]
    Outsider {
        /// The namespace's inode number.
        inode: u64,
        /// One who does.
        pid: u32,
        /// Its name.
        comm: String,
    },
    /// Others may live there that cannot be seen from here.
    #[error(
        "whether network namespace {inode} is the target's own cannot be known from here: only processes of the \
         injector's own pid namespace are seen"
    )]
    Unseen {
        /// The namespace's inode number.
        inode: u64,
    },
}

impl Shared {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Outsider { .. } => {
                "target everything that lives there (the cgroup of the pod, not of one container), or write the rule \
                 for `egress`, at the end that sends the packets"
            }
            Self::Unseen { .. } => {
                "start injector in the machine's own pid namespace (a container: with --pid=host), or write the rule \
                 for `egress`, at the end that sends the packets"
            }
        }
    }
}

/// Why a network namespace or a device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// The network namespace of a process cannot be opened.
    #[error("cannot open the network namespace of process {pid}: {source}")]
    Open {
        /// The process.
        pid: u32,
        /// The cause.
        source: io::Error,
    },
    /// A network namespace cannot be entered.
    #[error("cannot {}: {source}", if *.inode == 0 { "make a network namespace".into() } else { format!("enter network namespace {}", .inode) })]
    Enter {
        /// Its inode number, as `readlink /proc/PID/ns/net` prints it; 0 for a new one of our own.
        inode: u64,
        /// The cause.
        source: io::Error,
    },
    /// The kernel does not answer on its routing socket.
    #[error("cannot list the {what} of network namespace {inode}: {source}")]
    List {
        /// Devices, filters, …
        what: &'static str,
        /// Of which namespace.
        inode: u64,
        /// The cause.
        source: io::Error,
    },
    /// It cannot be found out which network namespaces there are.
    #[error("cannot list the network namespaces: {source}")]
    Namespaces {
        /// The cause.
        source: io::Error,
    },
    /// It cannot be found out which plans are live.
    #[error("cannot list the live plans: {source}")]
    Plans {
        /// The cause.
        source: io::Error,
    },
    /// The program cannot be put on a device.
    #[error("cannot attach to the {side} of device {device} by {mechanism}: {source}")]
    Attach {
        /// Its name.
        device: String,
        /// Which side of it.
        side: Side,
        /// What was tried.
        mechanism: Mechanism,
        /// The cause.
        source: io::Error,
    },
    /// Another qdisc sits where clsact has to be.
    #[error(
        "cannot attach to the {side} of device {device}: it has an `{kind}` qdisc where clsact has to be"
    )]
    Occupied {
        /// The device.
        device: String,
        /// Which side of it.
        side: Side,
        /// The qdisc's kind.
        kind: String,
    },
    /// A filter of ours cannot be taken away.
    #[error("cannot remove filter {name} from device {device}: {source}")]
    Remove {
        /// Its name.
        name: String,
        /// The device's name or number.
        device: String,
        /// Which side of it.
        side: Side,
        /// The cause.
        source: io::Error,
    },
    /// What comes in to a network namespace cannot wait.
    #[error("packets that come in can only be lost: {0}")]
    Shared(Shared),
    /// A delay line cannot be laid.
    #[error("cannot lay a delay line in network namespace {inode}: cannot {what}: {source}")]
    DelayLine {
        /// The step that failed.
        what: &'static str,
        /// The namespace.
        inode: u64,
        /// The cause.
        source: io::Error,
    },
    /// A private network cannot be made.
    #[error("cannot make a private network: cannot {what}: {source}")]
    Bridged {
        /// The step that failed.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The kernel has neither tcx nor clsact.
    #[error("cannot reach outgoing packets: this kernel has neither tcx nor clsact ({source})")]
    Unsupported {
        /// What clsact said.
        source: io::Error,
    },
}

impl PacketError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unsupported { .. } => {
                "use Linux 6.6 or later, or one with CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF (modules \
                 sch_ingress and cls_bpf)"
                    .into()
            }
            Self::Shared(shared) => shared.hint().into(),
            Self::Occupied { device, kind, .. } => {
                format!(
                    "put its filters on clsact instead, which does all that it does: tc qdisc del dev {device} {kind}"
                )
            }
            Self::Open { source, .. }
            | Self::Enter { source, .. }
            | Self::List { source, .. }
            | Self::Namespaces { source }
            | Self::Plans { source }
            | Self::Attach { source, .. }
            | Self::DelayLine { source, .. }
            | Self::Bridged { source, .. }
            | Self::Remove { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                "run as root, or with CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN (to enter network \
                 namespaces) and CAP_SYS_PTRACE (to find those of others)"
                    .into()
            }
            Self::DelayLine { source, .. }
                if matches!(source.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOENT)) =>
            {
                "use a kernel with CONFIG_VETH and CONFIG_NET_SCH_FQ (modules veth and sch_fq)".into()
            }
            Self::Bridged { source, .. }
                if matches!(source.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOENT)) =>
            {
                "use a kernel with CONFIG_VETH and CONFIG_BRIDGE (modules veth and bridge)".into()
            }
            Self::Enter { .. } | Self::Namespaces { .. } if !Path::new("/proc/self").exists() => {
                "mount procfs: mount -t proc proc /proc".into()
            }
            Self::Open { .. } => "check that the process is still there".into(),
            Self::Remove { device, side, .. } => format!("see `tc filter show dev {device} {side}`"),
            Self::Attach { device, .. } => format!("see `tc qdisc show dev {device}` and the kernel log"),
            Self::Enter { .. }
            | Self::List { .. }
            | Self::Namespaces { .. }
            | Self::Plans { .. }
            | Self::Bridged { .. }
            | Self::DelayLine { .. } => "see the kernel log".into(),
        }
    }

    /// The error of the system call behind it, if there is one.
    pub fn system(&self) -> Option<&io::Error> {
        match self {
            Self::Open { source, .. }
            | Self::Enter { source, .. }
            | Self::List { source, .. }
            | Self::Namespaces { source }
            | Self::Plans { source }
            | Self::Attach { source, .. }
            | Self::DelayLine { source, .. }
            | Self::Bridged { source, .. }
            | Self::Remove { source, .. }
            | Self::Unsupported { source } => Some(source),
            Self::Occupied { .. } | Self::Shared(_) => None,
        }
    }
}
