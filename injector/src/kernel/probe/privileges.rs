//! What this process may do, as the kernel tells it: its capabilities, its user namespace, and which system calls a
//! seccomp filter keeps from it. Only to explain a refusal; never to decide.

use std::{fs, io, path::PathBuf, ptr::null};

/// A capability that some attempt of ours needs, by its bit (include/uapi/linux/capability.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "capabilities(7)")]
pub enum Capability {
    NetAdmin = 12,
    SysPtrace = 19,
    SysAdmin = 21,
    Perfmon = 38,
    Bpf = 39,
}

impl Capability {
    const ALL: [Self; 5] = [Self::Bpf, Self::Perfmon, Self::NetAdmin, Self::SysAdmin, Self::SysPtrace];

    /// As capabilities(7) has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
        }
    }
}

/// A system call that some attempt of ours needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `bpf`.
    Bpf,
    /// `perf_event_open`.
    PerfEventOpen,
    /// `unshare`.
    Unshare,
    /// `fsopen`.
    Fsopen,
}

impl Call {
    const ALL: [Self; 4] = [Self::Bpf, Self::PerfEventOpen, Self::Unshare, Self::Fsopen];

    /// As manual pages have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bpf => "bpf(2)",
            Self::PerfEventOpen => "perf_event_open(2)",
            Self::Unshare => "unshare(2)",
            Self::Fsopen => "fsopen(2)",
        }
    }

    /// Is it kept from us? It is made with arguments that the kernel finds wrong, or that ask for nothing, before it
    /// looks at capabilities. So what says "not permitted" or "no such call" is a filter.
    fn is_blocked(self) -> bool {
        // SAFETY: no argument is a pointer that the kernel can read or write through: they are null, or its length is.
        let result = unsafe {
            match self {
                // An unknown command, and no attributes (kernel/bpf/syscall.c, `__sys_bpf`).
                Self::Bpf => libc::syscall(libc::SYS_bpf, i32::MAX, null::<u8>(), 0),
                // Unknown flags (kernel/events/core.c).
                Self::PerfEventOpen => {
                    libc::syscall(libc::SYS_perf_event_open, null::<u8>(), 0, -1, -1, libc::c_ulong::MAX)
                }
                // Nothing to leave.
                Self::Unshare => libc::syscall(libc::SYS_unshare, 0),
                // Unknown flags; but the capability is asked for first (fs/fsopen.c).
                Self::Fsopen => libc::syscall(libc::SYS_fsopen, null::<u8>(), libc::c_uint::MAX),
            }
        };
        let blocks = |error: io::Error| {
            matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES | libc::ENOSYS))
        };
        result < 0 && blocks(io::Error::last_os_error())
    }
}

/// The rights that this process has, as the kernel tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The effective capabilities, a bit each; `None` if they cannot be read.
    pub(crate) capabilities: Option<u64>,
    /// Is a seccomp filter in force?
    pub(crate) filtered: bool,
    /// Calls that it blocks.
    pub(crate) blocked: Vec<Call>,
    /// Is this another user namespace than the first one?
    pub(crate) in_user_namespace: bool,
}

impl Standing {
    /// As it is now.
    pub fn now() -> Self {
        /// `PROC_USER_INIT_INO` (include/linux/proc_ns.h).
        const FIRST: &str = "user:[4026531837]";
        let namespace = fs::read_link("/proc/self/ns/user");
        let other = |link: PathBuf| link.as_os_str() != FIRST;
        let told = Self::told(&fs::read_to_string("/proc/self/status").unwrap_or_default());
        let admin = told.lacks(&[Capability::SysAdmin]).is_empty();
        let blocked = |call: &Call| told.filtered && (*call != Call::Fsopen || admin) && call.is_blocked();
        let blocked = Call::ALL.into_iter().filter(blocked).collect();
        Self { blocked, in_user_namespace: namespace.is_ok_and(other), ..told }
    }

    /// By the text of /proc/PID/status.
    fn told(status: &str) -> Self {
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let capabilities = field("CapEff:").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        Self { capabilities, filtered: field("Seccomp:").is_some_and(|mode| mode != "0"), ..Self::default() }
    }

    /// Those of `needed` that it has not got; the kernel takes `CAP_SYS_ADMIN` for two of them (include/linux/capability.h,
    /// `bpf_capable`, `perfmon_capable`).
    pub(crate) fn lacks(&self, needed: &[Capability]) -> Vec<Capability> {
        let Some(bits) = self.capabilities else { return Vec::new() };
        let holds = |capability: Capability| bits & (1 << capability as u32) != 0;
        let lacking = |capability: &Capability| {
            let instead = matches!(capability, Capability::Bpf | Capability::Perfmon);
            !(holds(*capability) || instead && holds(Capability::SysAdmin))
        };
        needed.iter().copied().filter(lacking).collect()
    }

    /// Of all that some injection needs, what it has not got.
    pub fn missing(&self) -> Vec<&'static str> {
        self.lacks(&Capability::ALL).into_iter().map(Capability::name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells() {
        let told = Standing::told("Name:\tx\nCapEff:\t0000003fffffffff\nNoNewPrivs:\t0\nSeccomp:\t2\n");
        assert_eq!((told.capabilities, told.filtered), (Some(0x3f_ffff_ffff), true));
        // All of an old kernel's: the two that it does not know are in that of the administrator.
        assert!(told.missing().is_empty());
        assert_eq!(Standing::told(""), Standing::default());
        assert!(!Standing::told("Seccomp:\t0\n").filtered);
    }

    #[test]
    fn what_is_lacking() {
        let with = |held: &[Capability]| Standing {
            capabilities: Some(held.iter().fold(0, |bits, &capability| bits | 1 << capability as u32)),
            ..Standing::default()
        };
        let trace = [Capability::Bpf, Capability::Perfmon];
        assert_eq!(with(&[]).lacks(&trace), trace);
        assert_eq!(with(&[Capability::Bpf]).lacks(&trace), [Capability::Perfmon]);
        assert!(with(&[Capability::SysAdmin]).lacks(&trace).is_empty());
        assert_eq!(with(&trace).lacks(&[Capability::NetAdmin]), [Capability::NetAdmin]);
        assert_eq!(with(&[Capability::SysAdmin]).lacks(&[Capability::NetAdmin]), [Capability::NetAdmin]);
        assert_eq!(with(&trace).missing(), ["CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]);
    }

    #[test]
    fn asking_for_nothing_is_allowed() {
        let now = Standing::now();
        assert!(now.filtered || now.blocked.is_empty());
        assert!(now.filtered || !Call::Unshare.is_blocked());
    }
}
