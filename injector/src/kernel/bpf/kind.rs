//! Kinds of programs, as the kernel numbers them.

use aya_obj::generated::{bpf_attach_type, bpf_prog_type};

/// What kind of program the kernel is to take it for, and for which function.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `fmod_ret` on the function with this BTF id.
    ModifyReturn(u32),
    /// The same, and it may sleep.
    ModifyReturnSleepable(u32),
    /// At the entry of the function with this BTF id, before all `fmod_ret`, whatever was attached first.
    Entry(u32),
    /// When that function has run, or was kept from running; may sleep.
    ExitSleepable(u32),
    /// A Linux security module's program, on the function `bpf_lsm_*` with this BTF id.
    Lsm(u32),
    /// The same, and it may sleep.
    LsmSleepable(u32),
    /// A BTF-typed tracepoint, by the id of its type.
    Tracepoint(u32),
    /// A tracepoint without types; here for programs that are run by hand.
    RawTracepoint,
    /// Behind the function with this BTF id.
    Exit(u32),
    /// A walk that calls the function with this BTF id.
    Iterator(u32),
    /// A kprobe.
    Kprobe,
    /// A kprobe on many functions by one link.
    KprobeMulti,
    /// Places in a file that is run.
    UprobeMulti,
    /// A cgroup's packets, incoming.
    CgroupIngress,
    /// A cgroup's sockets in connect(2), of IPv4.
    CgroupConnect4,
    /// The same of IPv6.
    CgroupConnect6,
    /// Traffic control.
    Classifier,
}

impl Kind {
    /// The numbers that bpf(2) wants: program type, attach type, BTF id.
    pub(crate) fn numbers(self) -> (u32, u32, u32) {
        use bpf_attach_type as attach;
        use bpf_prog_type as prog;
        let (kind, attach, id) = match self {
            Self::ModifyReturn(id) | Self::ModifyReturnSleepable(id) => {
                (prog::BPF_PROG_TYPE_TRACING, attach::BPF_MODIFY_RETURN as u32, id)
            }
            Self::Entry(id) => (prog::BPF_PROG_TYPE_TRACING, attach::BPF_TRACE_FENTRY as u32, id),
            Self::Exit(id) | Self::ExitSleepable(id) => {
                (prog::BPF_PROG_TYPE_TRACING, attach::BPF_TRACE_FEXIT as u32, id)
            }
            Self::RawTracepoint => (prog::BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0),
            Self::Lsm(id) | Self::LsmSleepable(id) => {
                (prog::BPF_PROG_TYPE_LSM, attach::BPF_LSM_MAC as u32, id)
            }
            Self::Tracepoint(id) => (prog::BPF_PROG_TYPE_TRACING, attach::BPF_TRACE_RAW_TP as u32, id),
            Self::Iterator(id) => (prog::BPF_PROG_TYPE_TRACING, attach::BPF_TRACE_ITER as u32, id),
            Self::Kprobe => (prog::BPF_PROG_TYPE_KPROBE, 0, 0),
            Self::KprobeMulti => (prog::BPF_PROG_TYPE_KPROBE, attach::BPF_TRACE_KPROBE_MULTI as u32, 0),
            Self::UprobeMulti => (prog::BPF_PROG_TYPE_KPROBE, attach::BPF_TRACE_UPROBE_MULTI as u32, 0),
            Self::CgroupIngress => {
                (prog::BPF_PROG_TYPE_CGROUP_SKB, attach::BPF_CGROUP_INET_INGRESS as u32, 0)
            }
            Self::CgroupConnect4 => {
                (prog::BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attach::BPF_CGROUP_INET4_CONNECT as u32, 0)
            }
            Self::CgroupConnect6 => {
                (prog::BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attach::BPF_CGROUP_INET6_CONNECT as u32, 0)
            }
            Self::Classifier => (prog::BPF_PROG_TYPE_SCHED_CLS, 0, 0),
        };
        (kind as u32, attach, id)
    }

    /// May the program sleep?
    pub(crate) fn sleeps(self) -> bool {
        matches!(self, Self::ModifyReturnSleepable(_) | Self::ExitSleepable(_) | Self::LsmSleepable(_))
    }
}
