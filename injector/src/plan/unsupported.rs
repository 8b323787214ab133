//! What this kernel cannot do, as a type: never guessed from an error number by whoever catches it.

use std::{fmt, io};

use injector_common::code::BackendCode;
use nix::libc;

/// Ways to act that depend on the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// The kernel's own type information.
    Btf,
    /// Programs on typed tracepoints, with memory for each task: what follows forks and cgroups.
    ProcessTree,
    /// `fmod_ret` on the functions of system calls.
    FmodRet,
    /// kprobes with `bpf_override_return` on the functions of system calls.
    Kprobe,
    /// kretprobes with the same helper.
    Kretprobe,
    /// `fmod_ret` on security hooks.
    Hook,
    /// The same as a program of the BPF security module.
    Lsm,
    /// Programs that sleep at system calls, and what wakes them.
    CallDelay,
    /// The same at security hooks.
    CallDelayHook,
    /// A program on a cgroup's incoming packets.
    CgroupIngress,
    /// Programs on a cgroup's sockets in connect(2).
    CgroupConnect,
    /// A program at a device's egress, by a tcx link.
    Tcx,
    /// A program at a device's egress, by a clsact filter.
    Clsact,
    /// Programs that mark the sockets of process trees.
    Sockets,
    /// A pair of devices with a queue, through which packets make a detour.
    DelayLine,
    /// The unified cgroup hierarchy.
    CgroupV2,
    /// The freezer of version 2 cgroups.
    Freezer,
    /// The end of all in a version 2 cgroup at once.
    CgroupKill,
    /// Signals by a descriptor.
    Pidfd,
}

impl Mechanism {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 19] = [
        Self::Btf,
        Self::ProcessTree,
        Self::CgroupV2,
        Self::FmodRet,
        Self::Kprobe,
        Self::Kretprobe,
        Self::Hook,
        Self::Lsm,
        Self::CallDelay,
        Self::CallDelayHook,
        Self::CgroupIngress,
        Self::CgroupConnect,
        Self::Tcx,
        Self::Clsact,
        Self::Sockets,
        Self::DelayLine,
        Self::Freezer,
        Self::CgroupKill,
        Self::Pidfd,
    ];

    /// The name that tables and the log use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Btf => "btf",
            Self::ProcessTree => "process_tree",
            Self::FmodRet => BackendCode::FMOD_RET.name(),
            Self::Kprobe => BackendCode::KPROBE.name(),
            Self::Kretprobe => BackendCode::KRETPROBE.name(),
            Self::Hook => BackendCode::HOOK.name(),
            Self::Lsm => "lsm",
            Self::CallDelay => BackendCode::CALL_DELAY.name(),
            Self::CallDelayHook => BackendCode::CALL_DELAY_HOOK.name(),
            Self::CgroupIngress => BackendCode::CGROUP_SKB.name(),
            Self::CgroupConnect => BackendCode::CGROUP_CONNECT.name(),
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
            Self::Sockets => "sockets",
            Self::DelayLine => BackendCode::DELAY_LINE.name(),
            Self::CgroupV2 => "cgroup2",
            Self::Freezer => "freezer",
            Self::CgroupKill => "cgroup_kill",
            Self::Pidfd => "pidfd",
        }
    }

    /// What it is for, in a few words.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Btf => "everything: the kernel's types, from which functions and fields are found",
            Self::ProcessTree => "following processes and cgroups (typed tracepoints, task storage)",
            Self::FmodRet => "failing any system call, at the least cost (fmod_ret on system calls)",
            Self::Kprobe => "any return value, 0 too (kprobe with bpf_override_return)",
            Self::Kretprobe => "another result for calls that have run (kretprobe with bpf_override_return)",
            Self::Hook => "failing calls that pass a security hook (fmod_ret on security_*)",
            Self::Lsm => "the same, exact on fully preemptible kernels (BPF LSM)",
            Self::CallDelay => "delaying any system call (programs that sleep, FUSE)",
            Self::CallDelayHook => "delaying calls that pass certain security hooks (BPF LSM, FUSE)",
            Self::CgroupIngress => "losing packets that come in (cgroup_skb)",
            Self::CgroupConnect => "failing connections (the cgroup's connect hooks)",
            Self::Tcx => "losing packets that go out, nothing left behind (tcx link)",
            Self::Clsact => "losing packets that go out, where there is no tcx (clsact filter)",
            Self::Sockets => "packets of process trees (fexit on a security hook, storage in sockets)",
            Self::DelayLine => {
                "delaying packets, those that come in where the network namespace is the target's own; loss by the packets of the wire (veth, fq)"
            }
            Self::CgroupV2 => "cgroup targets, and `run` (the unified hierarchy)",
            Self::Freezer => "pausing all in a cgroup, unnoticed (cgroup.freeze)",
            Self::CgroupKill => "killing all in a cgroup at once (cgroup.kill)",
            Self::Pidfd => "signals to processes, and pauses of process trees (pidfd_send_signal)",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whose fault it is that something cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The kernel has not got it.
    Kernel,
    /// The caller has not got the right.
    Right,
    /// A limit was reached, or something is not mounted.
    Machine,
}

/// A mechanism that cannot be had: why, and what would bring it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{mechanism} is {}: {why}", outcome(*.fault))]
pub struct Unsupported {
    /// The mechanism.
    pub mechanism: Mechanism,
    /// The cause, in words.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
    /// Whose fault it is.
    pub fault: Fault,
}

impl Unsupported {
    /// The kernel has not got it.
    pub fn missing(mechanism: Mechanism, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { mechanism, why: why.into(), remedy: remedy.into(), fault: Fault::Kernel }
    }

    /// The same cause keeps us from `mechanism`, which needs this one. What would bring the kernel's part is
    /// `remedy`; any other cause has its own.
    #[must_use]
    pub fn keeps_from(self, mechanism: Mechanism, remedy: &str) -> Self {
        match self.fault {
            Fault::Kernel => Self { mechanism, remedy: remedy.into(), ..self },
            Fault::Right | Fault::Machine => Self { mechanism, ..self },
        }
    }

    /// Is it the same cause, of another mechanism?
    pub fn is_as(&self, other: &Self) -> bool {
        (&self.why, self.fault) == (&other.why, other.fault)
    }

    /// Several, each cause once.
    pub fn list(all: &[Self]) -> Vec<String> {
        let first = |nth: usize| !all[..nth].iter().any(|before| before.is_as(&all[nth]));
        let line = |cause: &Self| {
            let those = all.iter().filter(|other| other.is_as(cause)).map(|other| other.mechanism.name());
            let those: Vec<_> = those.collect();
            let verb = if those.len() == 1 { "is" } else { "are" };
            format!("{} {verb} {}: {}", those.join(", "), outcome(cause.fault), cause.why)
        };
        all.iter().enumerate().filter(|&(nth, _)| first(nth)).map(|(_, cause)| line(cause)).collect()
    }
}

/// What becomes of a mechanism, of one or of several.
fn outcome(fault: Fault) -> &'static str {
    match fault {
        Fault::Kernel => "not available",
        Fault::Right => "not permitted",
        Fault::Machine => "out of reach",
    }
}

/// Is this the kernel's "you may not"?
pub fn is_permission(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let missing = |mechanism, why: &str| Unsupported::missing(mechanism, why, "another kernel");
        let all = [
            missing(Mechanism::FmodRet, "no option"),
            missing(Mechanism::Hook, "no hook"),
            missing(Mechanism::CallDelay, "no option"),
        ];
        assert_eq!(
            Unsupported::list(&all),
            ["fmod_ret, call_delay are not available: no option", "hook is not available: no hook"]
        );
    }

    #[test]
    fn what_is_specific_stays() {
        let lacks = Unsupported {
            fault: Fault::Right,
            ..Unsupported::missing(Mechanism::FmodRet, "this process lacks CAP_BPF", "run it as root")
        };
        let kept = lacks.clone().keeps_from(Mechanism::CallDelay, "use Linux 6.12");
        assert_eq!((kept.mechanism, kept.remedy.as_str()), (Mechanism::CallDelay, "run it as root"));
        let missing = Unsupported { fault: Fault::Kernel, ..lacks };
        assert_eq!(missing.keeps_from(Mechanism::CallDelay, "use Linux 6.12").remedy, "use Linux 6.12");
    }
}
