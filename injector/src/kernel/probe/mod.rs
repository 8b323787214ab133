//! What this kernel allows, found out by doing it: a tiny program is loaded and attached, and is gone
//! again. Whether a mechanism works never depends on a version number.

pub mod kernel_config;
pub mod privileges;
pub mod refusal;

use std::{
    error::Error as _,
    fs, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    path::Path,
};

use aya_obj::generated::bpf_insn;

use crate::{
    kernel::{
        bpf::{
            btf::{BtfError, KernelBtf, VMLINUX},
            kind::Kind,
            link::{When, link},
            probe_programs, sys,
        },
        net,
        probe::refusal::{Attempt, Cause},
        sleep,
    },
    plan::unsupported::{Fault, Mechanism, Unsupported, is_permission},
    target::{CgroupError, Hierarchy, Process, Procfs, run_cgroup},
};

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
///
/// # Errors
/// [`Unsupported`] with the reason: no BTF, or none that can be read.
pub fn btf() -> Result<KernelBtf, Unsupported> {
    KernelBtf::running().map_err(|error| {
        if let Some(hidden) = kernel_config::hidden(Path::new(VMLINUX)) {
            return Unsupported {
                fault: Fault::Machine,
                ..Unsupported::missing(
                    Mechanism::Btf,
                    format!("{error}: {hidden}"),
                    "unmount what hides it; a container needs the machine's /sys/kernel/btf (docker: -v \
                     /sys/kernel/btf:/sys/kernel/btf:ro)",
                )
            };
        }
        let why = format!("{error}; {}", kernel_config::without("CONFIG_DEBUG_INFO_BTF"));
        let remedy =
            "use a kernel with CONFIG_DEBUG_INFO_BTF=y; the kernels of all large distributions have it";
        match &error {
            BtfError::Read { source, .. } => refused(Mechanism::Btf, Attempt::Trace, source, why, remedy),
            BtfError::Damaged(_) | BtfError::NoField { .. } => {
                Unsupported::missing(Mechanism::Btf, why, remedy)
            }
        }
    })
}

/// Tries `mechanism`.
///
/// # Errors
/// [`Unsupported`] with the reason and what to do about it.
pub fn probe(mechanism: Mechanism, btf: &KernelBtf) -> Result<(), Unsupported> {
    if reads_the_kernel(mechanism) && reading_is_forbidden() {
        return Err(Unsupported::missing(
            mechanism,
            "the kernel is locked down (confidentiality), which forbids programs that read its memory",
            "boot with lockdown=integrity, or without lockdown",
        ));
    }
    match mechanism {
        Mechanism::Btf => Ok(()),
        Mechanism::ProcessTree => process_tree(btf),
        Mechanism::FmodRet => fmod_ret(btf),
        Mechanism::Kprobe => kprobe(mechanism, When::Entered),
        Mechanism::Kretprobe => kprobe(mechanism, When::Returned),
        Mechanism::Hook => hook(btf),
        Mechanism::Lsm => lsm(btf),
        Mechanism::CgroupIngress => at_cgroup(
            mechanism,
            (Kind::CgroupIngress, probe_programs::constant(1)),
            "use a kernel with CONFIG_CGROUP_BPF=y",
        ),
        Mechanism::CgroupConnect => at_cgroup(
            mechanism,
            (Kind::CgroupConnect4, probe_programs::refusing()),
            "use Linux 6.1 or later with CONFIG_CGROUP_BPF=y; `--io connect:error=` fails connections as well",
        ),
        Mechanism::CallDelay => call_delay(btf),
        Mechanism::CallDelayHook => call_delay_hook(btf),
        Mechanism::Tcx => egress(mechanism, net::Mechanism::Tcx),
        Mechanism::Clsact => egress(mechanism, net::Mechanism::Clsact),
        Mechanism::Sockets => sockets(btf),
        Mechanism::DelayLine => delay_line(),
        Mechanism::CgroupV2 => cgroup_v2(),
        Mechanism::Freezer | Mechanism::CgroupKill => in_fresh_cgroup(mechanism),
        Mechanism::Pidfd => pidfd(),
    }
}

/// Do the programs of this mechanism use `bpf_probe_read_kernel`, which goes with `LOCKDOWN_BPF_READ_KERNEL`
/// (kernel/bpf/helpers.c, `bpf_base_func_proto`)?
fn reads_the_kernel(mechanism: Mechanism) -> bool {
    use Mechanism::{CallDelay, CallDelayHook, FmodRet, Hook, Kprobe, Kretprobe, Lsm, ProcessTree};
    matches!(mechanism, ProcessTree | FmodRet | Kprobe | Kretprobe | Hook | Lsm | CallDelay | CallDelayHook)
}

/// By the level of lockdown, and where that is not told, by trying: the verifier knows no such helper then.
fn reading_is_forbidden() -> bool {
    if kernel_config::tells_lockdown() {
        return kernel_config::lockdown().is_some_and(|level| level == "confidentiality");
    }
    let read = probe_programs::load(&probe_programs::reading(), Kind::RawTracepoint);
    read.is_err_and(|(_, log)| names_helper(&log, probe_programs::PROBE_READ_KERNEL.unsigned_abs()))
}

/// What the kernel refused: by the right that is missing, the limit that was reached, or else by `why` and `remedy`.
fn refused(
    mechanism: Mechanism,
    attempt: Attempt,
    error: &io::Error,
    why: String,
    remedy: &str,
) -> Unsupported {
    match refusal::cause(error, attempt) {
        Some(Cause { why, remedy, fault }) => {
            Unsupported { mechanism, why: format!("{error}: {why}"), remedy, fault }
        }
        None => Unsupported::missing(mechanism, why, remedy),
    }
}

/// The same for a program that was to be loaded. `known` reads the verifier's log, whose words are no promise: what it
/// does not know is not guessed at.
fn refused_program(
    (mechanism, attempt): (Mechanism, Attempt),
    (error, log): (&io::Error, &str),
    known: impl FnOnce(&io::Error, &str) -> Option<String>,
    remedy: &str,
) -> Unsupported {
    let why = known(error, log).unwrap_or_else(|| unknown(error, log));
    // The verifier, too, says EACCES of what a program may not do; but it says more than that. Who lacks a right never
    // gets to it (kernel/bpf/syscall.c, `bpf_prog_load`).
    if error.raw_os_error() == Some(libc::EACCES) && !log.trim().is_empty() {
        return Unsupported::missing(mechanism, why, remedy);
    }
    refused(mechanism, attempt, error, why, remedy)
}

/// What is said where nothing is known.
fn unknown(error: &io::Error, log: &str) -> String {
    match log.lines().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("{error}, and why is not known; the verifier says: {}", line.trim()),
        None => format!("{error}, and why is not known"),
    }
}

/// For a program that is attached by a BPF trampoline.
fn without_trampolines(error: &io::Error) -> Option<String> {
    // ENOTSUPP of register_fentry (kernel/bpf/trampoline.c): no direct calls.
    (error.raw_os_error() == Some(524))
        .then(|| kernel_config::without("CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS"))
}

/// Does the verifier speak of this helper? It writes its number behind the name.
fn names_helper(log: &str, number: u32) -> bool {
    let number = format!("#{number}");
    log.match_indices(&number)
        .any(|(at, _)| !log[at + number.len()..].starts_with(|next: char| next.is_ascii_digit()))
}

fn process_tree(btf: &KernelBtf) -> Result<(), Unsupported> {
    const MECHANISM: Mechanism = Mechanism::ProcessTree;
    const REMEDY: &str = "use a kernel of 5.19 or later with CONFIG_DEBUG_INFO_BTF=y and CONFIG_BPF_EVENTS=y";
    let id = btf.tracepoint("task_newtask").ok_or_else(|| {
        Unsupported::missing(MECHANISM, "the kernel has no typed tracepoint task_newtask", REMEDY)
    })?;
    let program = probe_programs::load(&probe_programs::constant(0), Kind::Tracepoint(id)).map_err(
        |(error, log)| refused_program((MECHANISM, Attempt::Trace), (&error, &log), |_, _| None, REMEDY),
    )?;
    sys::link_tracepoint(program.as_fd()).map(drop).map_err(|error| {
        refused(MECHANISM, Attempt::Trace, &error, format!("attaching to task_newtask: {error}"), REMEDY)
    })
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
    let known = |error: &io::Error, log: &str| {
        let option = || kernel_config::without("CONFIG_FUNCTION_ERROR_INJECTION");
        log.contains("is not modifiable").then(option).or_else(|| without_trampolines(error))
    };
    probe_programs::attached(Kind::ModifyReturn(id)).map(drop).map_err(|(error, log)| {
        refused_program((Mechanism::FmodRet, Attempt::Trace), (&error, &log), known, REMEDY)
    })
}

/// A kprobe with override, at either end of a function.
fn kprobe(mechanism: Mechanism, when: When) -> Result<(), Unsupported> {
    const REMEDY: &str =
        "use a kernel with CONFIG_BPF_KPROBE_OVERRIDE=y and CONFIG_FUNCTION_ERROR_INJECTION=y";
    let program =
        probe_programs::load(&probe_programs::overriding(), Kind::Kprobe).map_err(|(error, log)| {
            let known = |_: &io::Error, log: &str| {
                let option = || kernel_config::without("CONFIG_BPF_KPROBE_OVERRIDE");
                names_helper(log, probe_programs::OVERRIDE_RETURN.unsigned_abs()).then(option)
            };
            refused_program((mechanism, Attempt::Trace), (&error, &log), known, REMEDY)
        })?;
    link(program.as_fd(), &format!("{PREFIX}{TRIAL_CALL}"), when).map(drop).map_err(|error| {
        let why = format!("attaching a {}: {error}", mechanism.name());
        refused(mechanism, Attempt::Probe, &error, why, REMEDY)
    })
}

fn hook(btf: &KernelBtf) -> Result<(), Unsupported> {
    const REMEDY: &str = "use a kernel with CONFIG_SECURITY=y, CONFIG_DEBUG_INFO_BTF=y and BPF trampolines \
                          (x86-64 5.7, arm64 6.4 or later)";
    let id = btf.function(TRIAL_HOOK).ok_or_else(|| {
        Unsupported::missing(Mechanism::Hook, kernel_config::without("CONFIG_SECURITY"), REMEDY)
    })?;
    trampoline(Mechanism::Hook, Kind::ModifyReturn(id), REMEDY)
}

/// A program that a BPF trampoline runs.
fn trampoline(mechanism: Mechanism, kind: Kind, remedy: &str) -> Result<(), Unsupported> {
    probe_programs::attached(kind).map(drop).map_err(|(error, log)| {
        let known = |error: &io::Error, _: &str| without_trampolines(error);
        refused_program((mechanism, Attempt::Trace), (&error, &log), known, remedy)
    })
}

/// Where a module is not active, a program can be attached to its hooks all the same, but they are never called. So one
/// is called.
fn lsm(btf: &KernelBtf) -> Result<(), Unsupported> {
    const MECHANISM: Mechanism = Mechanism::Lsm;
    const REMEDY: &str = "boot with `bpf` in lsm= (and CONFIG_BPF_LSM=y)";
    let id = btf
        .function(TRIAL_LSM)
        .ok_or_else(|| Unsupported::missing(MECHANISM, kernel_config::without("CONFIG_BPF_LSM"), REMEDY))?;
    let program = probe_programs::load(&probe_programs::answering(), Kind::Lsm(id));
    let linked = program.and_then(|program| probe_programs::link(program, Kind::Lsm(id)));
    let _attached = linked.map_err(|(error, log)| {
        let known = |error: &io::Error, _: &str| without_trampolines(error);
        refused_program((MECHANISM, Attempt::Trace), (&error, &log), known, REMEDY)
    })?;
    if probe_programs::is_answered() {
        return Ok(());
    }
    let why = match kernel_config::security_modules() {
        // The hook is that of prctl(2), which this process makes.
        Some(active) if active.split(',').any(|module| module == "bpf") => {
            let why =
                "a program at the hook of prctl(2) was not run: a seccomp filter seems to block that call";
            let remedy = "allow prctl(2) (Docker: --security-opt seccomp=unconfined)".into();
            return Err(Unsupported { mechanism: MECHANISM, why: why.into(), remedy, fault: Fault::Right });
        }
        Some(active) => format!("`bpf` is not among the active security modules ({active})"),
        None => "`bpf` is no active security module: a program at one of its hooks is never run".into(),
    };
    Err(Unsupported::missing(MECHANISM, why, REMEDY))
}

/// Programs that sleep at both ends of a call, and what wakes who sleeps: all of it, but for a call that does.
fn call_delay(btf: &KernelBtf) -> Result<(), Unsupported> {
    const MECHANISM: Mechanism = Mechanism::CallDelay;
    const REMEDY: &str = "use a kernel of 6.12 or later with CONFIG_FUNCTION_ERROR_INJECTION=y and CONFIG_FUSE_FS; \
                          `strace -e inject=` can delay calls anywhere, at the price of tracing";
    fmod_ret(btf).map_err(|cause| cause.keeps_from(MECHANISM, REMEDY))?;
    let id = btf.function(&format!("{PREFIX}{TRIAL_CALL}")).unwrap_or(0);
    for kind in [Kind::ModifyReturnSleepable(id), Kind::ExitSleepable(id)] {
        trampoline(MECHANISM, kind, REMEDY)?;
    }
    waking(MECHANISM, btf, REMEDY)
}

/// The same at a security hook.
fn call_delay_hook(btf: &KernelBtf) -> Result<(), Unsupported> {
    const MECHANISM: Mechanism = Mechanism::CallDelayHook;
    const REMEDY: &str =
        "use a kernel of 6.12 or later with CONFIG_BPF_LSM=y and CONFIG_FUSE_FS, and `bpf` in lsm=";
    waking_functions(MECHANISM, btf, REMEDY)?;
    lsm(btf).map_err(|cause| Unsupported { mechanism: MECHANISM, ..cause })?;
    trampoline(MECHANISM, Kind::LsmSleepable(btf.function(TRIAL_LSM).unwrap_or(0)), REMEDY)?;
    waking(MECHANISM, btf, REMEDY)
}

/// What programs need to find the pager, and to be taken off while somebody sleeps.
fn waking_functions(mechanism: Mechanism, btf: &KernelBtf, remedy: &str) -> Result<(), Unsupported> {
    for (_, function) in injector_common::kfunc::ALL {
        if btf.function(function).is_none() {
            let why = format!("the kernel has no function {function}, which came with 6.2");
            return Err(Unsupported::missing(mechanism, why, remedy));
        }
    }
    if btf.function(sleep::WAITS_FOR_SLEEPERS).is_none() {
        let why = format!(
            "the kernel has no function {}, which came with 6.12: without it, programs can be freed under threads \
             that sleep in front of them",
            sleep::WAITS_FOR_SLEEPERS
        );
        return Err(Unsupported::missing(mechanism, why, remedy));
    }
    Ok(())
}

/// The same, and a file system whose pages come late.
fn waking(mechanism: Mechanism, btf: &KernelBtf, remedy: &str) -> Result<(), Unsupported> {
    waking_functions(mechanism, btf, remedy)?;
    sleep::check_waiting(btf).map_err(|error| {
        let why = format!(
            "cannot have the kernel wait for all tasks: {error}; without that, programs can be freed under threads that \
             sleep in front of them"
        );
        refused(mechanism, Attempt::Trace, &error, why, remedy)
    })?;
    sleep::Session::new().map(drop).map_err(|step| {
        let without = format!("cannot make a FUSE file system: {step}");
        if step.is_at_device() {
            return Unsupported {
                fault: Fault::Machine,
                ..Unsupported::missing(
                    mechanism,
                    without,
                    "a container needs the device /dev/fuse, and the right to open it (docker: --device /dev/fuse)",
                )
            };
        }
        let why = format!("{without}; {}", kernel_config::without("CONFIG_FUSE_FS"));
        refused(mechanism, Attempt::Mount, &step.source, why, "load the module fuse")
    })
}

/// Loading takes fewer rights than attaching does (kernel/bpf/syscall.c, `bpf_prog_attach_check_attach_type`). So
/// it is attached, to our own cgroup, and lets everything pass.
fn at_cgroup(
    mechanism: Mechanism,
    (kind, program): (Kind, Vec<bpf_insn>),
    remedy: &str,
) -> Result<(), Unsupported> {
    let attempt = Attempt::Cgroup;
    let program = probe_programs::load(&program, kind).map_err(|(error, log)| {
        let known = |error: &io::Error, log: &str| {
            // The helper with which a program says the error came to these hooks with 6.1.
            let helper = names_helper(log, probe_programs::SET_RETVAL.unsigned_abs());
            helper.then(|| format!("{error}: programs at connect hooks cannot say the error here"))
        };
        refused_program((mechanism, attempt), (&error, &log), known, remedy)
    })?;
    let procfs = Procfs::default();
    // Without such a cgroup there is no target either, which is what `cgroup v2` says.
    let Ok(hierarchy) = Hierarchy::discover(&procfs) else { return Ok(()) };
    let own = procfs.own_cgroup().ok().flatten().unwrap_or_default();
    let own = hierarchy.mount_point().join(own.strip_prefix("/").unwrap_or(&own));
    let Ok(directory) = fs::File::open(own) else { return Ok(()) };
    sys::link_to(program.as_fd(), directory.as_fd(), kind.numbers().1).map(drop).map_err(|error| {
        let why = format!("{error}; {}", kernel_config::without("CONFIG_CGROUP_BPF"));
        refused(mechanism, attempt, &error, why, remedy)
    })
}

/// Both ways to the egress of a device, each tried in a network namespace of its own.
fn egress(mechanism: Mechanism, way: net::Mechanism) -> Result<(), Unsupported> {
    let remedy = match way {
        net::Mechanism::Tcx => {
            "none needed: a clsact filter does the same, and the next start of injector removes what a SIGKILL \
             leaves of it"
        }
        net::Mechanism::Clsact => "use a kernel with CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF",
    };
    let error = match way.works() {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error,
        Err(error) => return Err(network(mechanism, &error)),
    };
    let why = match way {
        net::Mechanism::Tcx => format!("the kernel has no tcx links, which came with 6.6 ({error})"),
        net::Mechanism::Clsact => format!("{error}; {}", kernel_config::without("CONFIG_NET_SCH_INGRESS")),
    };
    Err(refused(mechanism, Attempt::Network, &error, why, remedy))
}

/// Behind the hook that every new socket passes; the walk over those that are open needs no more.
fn sockets(btf: &KernelBtf) -> Result<(), Unsupported> {
    const MECHANISM: Mechanism = Mechanism::Sockets;
    const REMEDY: &str = "use a kernel with CONFIG_SECURITY_NETWORK=y and BPF trampolines (x86-64 5.7, arm64 6.4 or \
                          later), or name the process's cgroup with --cgroup";
    let id = btf.function(crate::kernel::installation::sockets::HOOK).ok_or_else(|| {
        Unsupported::missing(MECHANISM, kernel_config::without("CONFIG_SECURITY_NETWORK"), REMEDY)
    })?;
    trampoline(MECHANISM, Kind::Exit(id), REMEDY)
}

/// Makes one in a network namespace of its own, without programs: those are tried for tcx and clsact.
fn delay_line() -> Result<(), Unsupported> {
    const MECHANISM: Mechanism = Mechanism::DelayLine;
    const REMEDY: &str = "use a kernel with CONFIG_VETH and CONFIG_NET_SCH_FQ (modules veth and sch_fq)";
    match net::delay_line_works() {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(refused(MECHANISM, Attempt::Network, &error, error.to_string(), REMEDY)),
        Err(error) => Err(network(MECHANISM, &error)),
    }
}

/// Not even a network namespace to try it in.
fn network(mechanism: Mechanism, error: &net::PacketError) -> Unsupported {
    match error.system().and_then(|source| refusal::cause(source, Attempt::Network)) {
        Some(Cause { why, remedy, fault }) => {
            Unsupported { mechanism, why: format!("{error}: {why}"), remedy, fault }
        }
        None => Unsupported::missing(mechanism, error.to_string(), error.hint()),
    }
}

fn cgroup_v2() -> Result<(), Unsupported> {
    Hierarchy::discover(&Procfs::default())
        .map(drop)
        .map_err(|error| Unsupported::missing(Mechanism::CgroupV2, error.to_string(), error.hint()))
}

/// Whether all of a cgroup can be frozen, or killed at once: tried on a fresh one, in which nobody lives.
fn in_fresh_cgroup(mechanism: Mechanism) -> Result<(), Unsupported> {
    let procfs = Procfs::default();
    let out_of_reach = |error: CgroupError| {
        let system = error.source().and_then(|source| source.downcast_ref());
        let (fault, remedy) = if system.is_some_and(is_permission) {
            (Fault::Right, "run it as root (sudo)")
        } else {
            (Fault::Machine, error.hint())
        };
        Unsupported { fault, ..Unsupported::missing(mechanism, error.to_string(), remedy) }
    };
    let hierarchy = Hierarchy::discover(&procfs).map_err(out_of_reach)?;
    let (cgroup, _) = run_cgroup::make(&hierarchy, &procfs).map_err(out_of_reach)?;
    let (file, since) = match mechanism {
        Mechanism::Freezer => ("cgroup.freeze", "Linux 5.2"),
        _ => ("cgroup.kill", "Linux 5.14"),
    };
    let tried = fs::write(cgroup.path().join(file), "1");
    // Nobody is in it; what cannot be removed now is removed by the next start.
    let _ = run_cgroup::remove(&cgroup);
    tried.map_err(|error| {
        let why = format!("{file}: {error}");
        Unsupported::missing(mechanism, why, format!("use {since} or later"))
    })
}

/// Whether processes can be held open and sent signals, tried on this one, by no signal.
fn pidfd() -> Result<(), Unsupported> {
    let tried = Process::own(&Procfs::default())
        .map_err(|error| error.to_string())
        .and_then(|own| test_kill(own.pidfd()).map_err(|error| error.to_string()));
    let remedy = "use Linux 5.3 or later; in a container, allow pidfd_open and pidfd_send_signal";
    tried.map_err(|why| Unsupported::missing(Mechanism::Pidfd, why, remedy))
}

/// pidfd_send_signal(2) with no signal, which rustix has not got.
fn test_kill(pidfd: BorrowedFd<'_>) -> io::Result<()> {
    let nothing = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: no memory is read by a null pointer; a signal of 0 is only checked.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), 0, nothing, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_is_known_by_its_number() {
        assert!(names_helper("0: (85) call\nunknown func bpf_override_return#58\nprocessed 0 insns", 58));
        assert!(names_helper("program of this type cannot use helper bpf_override_return#58\n", 58));
        assert!(!names_helper("unknown func bpf_x#581\n", 58));
        assert!(!names_helper("", 58));
    }

    #[test]
    fn what_the_verifier_says_in_other_words_is_not_known() {
        let said = |error: i32, log: &str| {
            let error = io::Error::from_raw_os_error(error);
            refused_program((Mechanism::Hook, Attempt::Trace), (&error, log), |_, _| None, "another kernel")
        };
        let why = said(libc::EINVAL, "\nR0 has a shape of its own\n");
        assert!(why.why.ends_with("why is not known; the verifier says: R0 has a shape of its own"), "{why}");
        assert_eq!(why.fault, Fault::Kernel);
        assert!(said(libc::EINVAL, "").why.ends_with("why is not known"));
        // The verifier's EACCES is no right that is missing.
        assert_eq!(said(libc::EACCES, "invalid mem access 'scalar'").fault, Fault::Kernel);
        assert_eq!(said(libc::EACCES, "").fault, Fault::Right);
    }
}
