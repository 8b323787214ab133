//! What this kernel allows, found out by doing it: a tiny program is loaded and attached, and is gone
//! again. Whether a mechanism works never depends on a version number.

use std::{fs, io, os::fd::AsFd};

use aya_obj::generated::bpf_insn;

use super::{
    btf::KernelBtf,
    nap,
    object::Kind,
    packet, setting, sys,
    syscall::kprobe::{When, link},
    tiny,
    unsupported::{Mechanism, Unsupported, is_permission},
};
use crate::target::{Hierarchy, Procfs};

/// The call on which system call mechanisms are tried: harmless, rare, with arguments.
const TRIAL_CALL: &str = "sys_getcpu";
/// The hook on which hooks are tried.
const TRIAL_HOOK: &str = "security_task_prctl";
/// The same for the BPF security module.
const TRIAL_LSM: &str = "bpf_lsm_task_prctl";

#[cfg(target_arch = "x86_64")]
const PREFIX: &str = "__x64_";
#[cfg(target_arch = "aarch64")]
const PREFIX: &str = "__arm64_";

/// The kernel's types, or why there are none.
pub fn btf() -> Result<KernelBtf, Unsupported> {
    KernelBtf::running().map_err(|error| {
        Unsupported::missing(
            Mechanism::Btf,
            format!("{error}; {}", setting::without("CONFIG_DEBUG_INFO_BTF")),
            "use a kernel with CONFIG_DEBUG_INFO_BTF=y; the kernels of all large distributions have it",
        )
    })
}

/// Tries `mechanism`.
pub fn probe(mechanism: Mechanism, btf: &KernelBtf) -> Result<(), Unsupported> {
    if reads_the_kernel(mechanism) && setting::lockdown().is_some_and(|level| level == "confidentiality") {
        return Err(Unsupported::missing(
            mechanism,
            "the kernel is locked down (confidentiality), which forbids programs that read its memory",
            "boot with lockdown=integrity, or without lockdown",
        ));
    }
    match mechanism {
        Mechanism::Btf => Ok(()),
        Mechanism::Lineage => lineage(btf),
        Mechanism::FmodRet => fmod_ret(btf),
        Mechanism::Kprobe => kprobe(mechanism, When::Entered),
        Mechanism::Kretprobe => kprobe(mechanism, When::Returned),
        Mechanism::Hook => hook(btf),
        Mechanism::Lsm => lsm(btf),
        Mechanism::CgroupIngress => at_cgroup(
            mechanism,
            (Kind::CgroupIngress, tiny::constant(1)),
            "use a kernel with CONFIG_CGROUP_BPF=y",
        ),
        Mechanism::CgroupConnect => at_cgroup(
            mechanism,
            (Kind::CgroupConnect4, tiny::refusing()),
            "use Linux 6.1 or later with CONFIG_CGROUP_BPF=y; `--io connect:error=` fails connections as well",
        ),
        Mechanism::Nap => nap(btf),
        Mechanism::NapHook => nap_hook(btf),
        Mechanism::Tcx => egress(mechanism, packet::Mechanism::Tcx),
        Mechanism::Clsact => egress(mechanism, packet::Mechanism::Clsact),
        Mechanism::Sockets => sockets(btf),
        Mechanism::DelayLine => delay_line(),
        Mechanism::CgroupV2 => cgroup_v2(),
    }
}

/// Do the programs of this mechanism use `bpf_probe_read_kernel`, which goes with `LOCKDOWN_BPF_READ_KERNEL`
/// (kernel/bpf/helpers.c, `bpf_base_func_proto`)?
fn reads_the_kernel(mechanism: Mechanism) -> bool {
    use Mechanism::{FmodRet, Hook, Kprobe, Kretprobe, Lineage, Lsm, Nap, NapHook};
    matches!(mechanism, Lineage | FmodRet | Kprobe | Kretprobe | Hook | Lsm | Nap | NapHook)
}

fn refused(mechanism: Mechanism, error: &io::Error, why: String, remedy: &str) -> Unsupported {
    if is_permission(error) {
        let (why, remedy) = setting::permission();
        return Unsupported::forbidden(mechanism, format!("{error}: {why}"), remedy);
    }
    Unsupported::missing(mechanism, why, remedy)
}

fn lineage(btf: &KernelBtf) -> Result<(), Unsupported> {
    const MECHANISM: Mechanism = Mechanism::Lineage;
    const REMEDY: &str = "use a kernel of 5.19 or later with CONFIG_DEBUG_INFO_BTF=y and CONFIG_BPF_EVENTS=y";
    let id = btf.tracepoint("task_newtask").ok_or_else(|| {
        Unsupported::missing(MECHANISM, "the kernel has no typed tracepoint task_newtask", REMEDY)
    })?;
    let program = tiny::load(&tiny::constant(0), Kind::Tracepoint(id))
        .map_err(|(error, log)| refused(MECHANISM, &error, format!("{error} {log}"), REMEDY))?;
    sys::link_tracepoint(program.as_fd())
        .map(drop)
        .map_err(|error| refused(MECHANISM, &error, format!("attaching to task_newtask: {error}"), REMEDY))
}

fn fmod_ret(btf: &KernelBtf) -> Result<(), Unsupported> {
    const REMEDY: &str = "use a kernel with CONFIG_FUNCTION_ERROR_INJECTION=y (docs/kernels.md lists distributions); \
                          calls that pass a security hook can be failed without it";
    let name = format!("{PREFIX}{TRIAL_CALL}");
    let id = btf.function(&name).ok_or_else(|| {
        Unsupported::missing(
            Mechanism::FmodRet,
            format!("the kernel's types name no function {name}"),
            REMEDY,
        )
    })?;
    tiny::attached(Kind::ModifyReturn(id)).map(drop).map_err(|(error, log)| {
        let why = if log.contains("is not modifiable") {
            setting::without("CONFIG_FUNCTION_ERROR_INJECTION")
        } else if error.raw_os_error() == Some(524) {
            // ENOTSUPP of register_fentry (kernel/bpf/trampoline.c): no direct calls.
            setting::without("CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS")
        } else {
            format!("{error} {}", log.lines().next().unwrap_or_default())
        };
        refused(Mechanism::FmodRet, &error, why, REMEDY)
    })
}

/// A kprobe with override, at either end of a function.
fn kprobe(mechanism: Mechanism, when: When) -> Result<(), Unsupported> {
    const REMEDY: &str =
        "use a kernel with CONFIG_BPF_KPROBE_OVERRIDE=y and CONFIG_FUNCTION_ERROR_INJECTION=y";
    let program = tiny::load(&tiny::overriding(), Kind::Kprobe).map_err(|(error, log)| {
        let why = if log.contains("#58") {
            setting::without("CONFIG_BPF_KPROBE_OVERRIDE")
        } else {
            format!("{error} {log}")
        };
        refused(mechanism, &error, why, REMEDY)
    })?;
    link(program.as_fd(), &format!("{PREFIX}{TRIAL_CALL}"), when).map(drop).map_err(|error| {
        refused(mechanism, &error, format!("attaching a {}: {error}", mechanism.name()), REMEDY)
    })
}

fn hook(btf: &KernelBtf) -> Result<(), Unsupported> {
    const REMEDY: &str = "use a kernel with CONFIG_SECURITY=y, CONFIG_DEBUG_INFO_BTF=y and BPF trampolines \
                          (x86-64 5.7, arm64 6.4 or later)";
    let id = btf
        .function(TRIAL_HOOK)
        .ok_or_else(|| Unsupported::missing(Mechanism::Hook, setting::without("CONFIG_SECURITY"), REMEDY))?;
    tiny::attached(Kind::ModifyReturn(id)).map(drop).map_err(|(error, log)| {
        let why = if error.raw_os_error() == Some(524) {
            setting::without("CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS")
        } else {
            format!("{error} {}", log.lines().next().unwrap_or_default())
        };
        refused(Mechanism::Hook, &error, why, REMEDY)
    })
}

fn lsm(btf: &KernelBtf) -> Result<(), Unsupported> {
    const REMEDY: &str =
        "needed on fully preemptible kernels only: boot with `bpf` in lsm= (and CONFIG_BPF_LSM=y)";
    let missing = |why: String| Unsupported::missing(Mechanism::Lsm, why, REMEDY);
    // A module that is not in the list can be attached to, but its hooks are never called.
    let active = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    if !active.trim().split(',').any(|name| name == "bpf") {
        return Err(missing(format!("`bpf` is not among the active security modules ({})", active.trim())));
    }
    let id = btf.function(TRIAL_LSM).ok_or_else(|| missing(setting::without("CONFIG_BPF_LSM")))?;
    tiny::attached(Kind::Lsm(id)).map(drop).map_err(|(error, log)| {
        let why = format!("{error} {}", log.lines().next().unwrap_or_default());
        refused(Mechanism::Lsm, &error, why, REMEDY)
    })
}

/// Programs that sleep at both ends of a call, and what wakes who sleeps: all of it, but for a call that does.
fn nap(btf: &KernelBtf) -> Result<(), Unsupported> {
    const MECHANISM: Mechanism = Mechanism::Nap;
    const REMEDY: &str = "use a kernel of 6.12 or later with CONFIG_FUNCTION_ERROR_INJECTION=y and CONFIG_FUSE_FS; \
                          `strace -e inject=` can delay calls anywhere, at the price of tracing";
    fmod_ret(btf).map_err(|cause| Unsupported { mechanism: MECHANISM, remedy: REMEDY.into(), ..cause })?;
    let id = btf.function(&format!("{PREFIX}{TRIAL_CALL}")).unwrap_or(0);
    sleeping(MECHANISM, &[Kind::ModifyReturnSleepable(id), Kind::ExitSleepable(id)], REMEDY)?;
    waking(MECHANISM, btf, REMEDY)
}

/// The same at a security hook.
fn nap_hook(btf: &KernelBtf) -> Result<(), Unsupported> {
    const MECHANISM: Mechanism = Mechanism::NapHook;
    const REMEDY: &str =
        "use a kernel of 6.12 or later with CONFIG_BPF_LSM=y and CONFIG_FUSE_FS, and `bpf` in lsm=";
    lsm(btf).map_err(|cause| Unsupported { mechanism: MECHANISM, remedy: REMEDY.into(), ..cause })?;
    sleeping(MECHANISM, &[Kind::LsmSleepable(btf.function(TRIAL_LSM).unwrap_or(0))], REMEDY)?;
    waking(MECHANISM, btf, REMEDY)
}

/// Programs of these kinds, which may sleep.
fn sleeping(mechanism: Mechanism, kinds: &[Kind], remedy: &str) -> Result<(), Unsupported> {
    for &kind in kinds {
        tiny::attached(kind).map_err(|(error, log)| {
            let why = format!("{error} {}", log.lines().next().unwrap_or_default());
            refused(mechanism, &error, why, remedy)
        })?;
    }
    Ok(())
}

/// What programs need to find the sleeper, and a file system whose pages come late.
fn waking(mechanism: Mechanism, btf: &KernelBtf, remedy: &str) -> Result<(), Unsupported> {
    for (_, function) in injector_common::kfunc::ALL {
        if btf.function(function).is_none() {
            let why = format!("the kernel has no function {function}, which came with 6.2");
            return Err(Unsupported::missing(mechanism, why, remedy));
        }
    }
    if btf.function(nap::WAITS_FOR_SLEEPERS).is_none() {
        let why = format!(
            "the kernel has no function {}, which came with 6.12: without it, programs can be freed under threads \
             that sleep in front of them",
            nap::WAITS_FOR_SLEEPERS
        );
        return Err(Unsupported::missing(mechanism, why, remedy));
    }
    nap::check_waiting(btf).map_err(|error| {
        let why = format!(
            "cannot have the kernel wait for all tasks: {error}; without that, programs can be freed under threads that \
             sleep in front of them"
        );
        refused(mechanism, &error, why, remedy)
    })?;
    nap::Session::new().map(drop).map_err(|step| {
        let why = format!("cannot make a FUSE file system: {step}; {}", setting::without("CONFIG_FUSE_FS"));
        refused(mechanism, &step.source, why, "load the module fuse; a container needs the device /dev/fuse")
    })
}

/// Loading takes fewer rights than attaching does (kernel/bpf/syscall.c, `bpf_prog_attach_check_attach_type`). So
/// it is attached, to our own cgroup, and lets everything pass.
fn at_cgroup(
    mechanism: Mechanism,
    (kind, program): (Kind, Vec<bpf_insn>),
    remedy: &str,
) -> Result<(), Unsupported> {
    let cannot = |error: io::Error, log: &str| {
        // The helper with which a program says the error came to these hooks with 6.1.
        let why = if log.contains("#187") {
            format!("{error}: programs at connect hooks cannot say the error here")
        } else {
            format!("{error}; {}", setting::without("CONFIG_CGROUP_BPF"))
        };
        refused(mechanism, &error, why, remedy)
    };
    let program = tiny::load(&program, kind).map_err(|(error, log)| cannot(error, &log))?;
    let procfs = Procfs::default();
    // Without such a cgroup there is no target either, which is what `cgroup v2` says.
    let Ok(hierarchy) = Hierarchy::discover(&procfs) else { return Ok(()) };
    let own = procfs.own_cgroup().ok().flatten().unwrap_or_default();
    let own = hierarchy.mount_point().join(own.strip_prefix("/").unwrap_or(&own));
    let Ok(directory) = fs::File::open(own) else { return Ok(()) };
    let linked = sys::link_to(program.as_fd(), directory.as_fd(), kind.numbers().1);
    linked.map(drop).map_err(|error| cannot(error, ""))
}

/// Both ways to the egress of a device, each tried in a network namespace of its own.
fn egress(mechanism: Mechanism, way: packet::Mechanism) -> Result<(), Unsupported> {
    let remedy = match way {
        packet::Mechanism::Tcx => {
            "none needed: a clsact filter does the same, and the next start of injector removes what a SIGKILL \
             leaves of it"
        }
        packet::Mechanism::Clsact => "use a kernel with CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF",
    };
    let error = match way.works() {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error,
        Err(error) if error.is_permission() => {
            let (why, remedy) = setting::permission();
            return Err(Unsupported::forbidden(mechanism, format!("{error}: {why}"), remedy));
        }
        Err(error) => return Err(Unsupported::missing(mechanism, error.to_string(), error.hint())),
    };
    let why = match way {
        packet::Mechanism::Tcx => format!("the kernel has no tcx links, which came with 6.6 ({error})"),
        packet::Mechanism::Clsact => format!("{error}; {}", setting::without("CONFIG_NET_SCH_INGRESS")),
    };
    Err(refused(mechanism, &error, why, remedy))
}

/// Behind the hook that every new socket passes; the walk over those that are open needs no more.
fn sockets(btf: &KernelBtf) -> Result<(), Unsupported> {
    const MECHANISM: Mechanism = Mechanism::Sockets;
    const REMEDY: &str = "use a kernel with CONFIG_SECURITY_NETWORK=y and BPF trampolines (x86-64 5.7, arm64 6.4 or \
                          later), or name the process's cgroup with --cgroup";
    let id = btf.function(super::sockets::HOOK).ok_or_else(|| {
        Unsupported::missing(MECHANISM, setting::without("CONFIG_SECURITY_NETWORK"), REMEDY)
    })?;
    tiny::attached(Kind::Exit(id)).map(drop).map_err(|(error, log)| {
        let why = if error.raw_os_error() == Some(524) {
            setting::without("CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS")
        } else {
            format!("{error} {}", log.lines().next().unwrap_or_default())
        };
        refused(MECHANISM, &error, why, REMEDY)
    })
}

/// Makes one in a network namespace of its own, without programs: those are tried for tcx and clsact.
fn delay_line() -> Result<(), Unsupported> {
    const MECHANISM: Mechanism = Mechanism::DelayLine;
    const REMEDY: &str = "use a kernel with CONFIG_VETH and CONFIG_NET_SCH_FQ (modules veth and sch_fq)";
    match packet::line_works() {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(refused(MECHANISM, &error, error.to_string(), REMEDY)),
        Err(error) if error.is_permission() => {
            let (why, remedy) = setting::permission();
            Err(Unsupported::forbidden(MECHANISM, format!("{error}: {why}"), remedy))
        }
        Err(error) => Err(Unsupported::missing(MECHANISM, error.to_string(), error.hint())),
    }
}

fn cgroup_v2() -> Result<(), Unsupported> {
    Hierarchy::discover(&Procfs::default())
        .map(drop)
        .map_err(|error| Unsupported::missing(Mechanism::CgroupV2, error.to_string(), error.hint()))
}
