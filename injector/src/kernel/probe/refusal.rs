//! Why the kernel refused something, where it is not that it cannot: a right that is missing, or a limit that was
//! reached. By what the attempt needed, and by what this process has.

use std::{fs, io, path::Path};

use nix::sys::resource::{Resource, getrlimit};

use crate::{
    kernel::probe::{
        kernel_config,
        privileges::{Call, Capability, Standing},
    },
    plan::unsupported::{Fault, is_permission},
    target::{Hierarchy, Procfs},
};

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// To load programs that see what others do, and to attach them.
    Trace,
    /// The same at a probe of perf's.
    Probe,
    /// To put programs on a cgroup.
    Cgroup,
    /// To enter network namespaces, and to change their devices, maybe by programs.
    Network,
    /// To open the network namespace of somebody else's process.
    Peek,
    /// To make a file system.
    Mount,
    /// To list what others have in the kernel.
    List,
}

impl Attempt {
    /// Which capabilities it needs, and which calls.
    fn needs(self) -> (&'static [Capability], &'static [Call]) {
        use Capability::{Bpf, NetAdmin, Perfmon, SysAdmin, SysPtrace};
        match self {
            Self::Trace => (&[Bpf, Perfmon], &[Call::Bpf]),
            Self::Probe => (&[Bpf, Perfmon], &[Call::Bpf, Call::PerfEventOpen]),
            Self::Cgroup => (&[Bpf, NetAdmin], &[Call::Bpf]),
            Self::Network => (&[Bpf, NetAdmin, SysAdmin], &[Call::Bpf, Call::Unshare]),
            Self::Peek => (&[SysPtrace], &[]),
            Self::Mount => (&[SysAdmin], &[Call::Fsopen]),
            Self::List => (&[SysAdmin], &[Call::Bpf]),
        }
    }
}

/// A cause that is not the kernel's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// In words.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
    /// Whose it is.
    pub fault: Fault,
}

/// Why `attempt` ended with `error`, if that is for want of a right or for a limit.
pub fn cause(error: &io::Error, attempt: Attempt) -> Option<Cause> {
    if let Some(limit) = limit(error) {
        return Some(limit);
    }
    let filtered = error.raw_os_error() == Some(libc::ENOSYS);
    (filtered || is_permission(error))
        .then(|| forbidden(attempt, &Standing::now(), kernel_config::lockdown().as_deref()))
        // Without a filter it is the kernel that has no such call.
        .filter(|cause| !filtered || cause.why.contains("seccomp"))
}

/// Why `attempt` is not permitted to somebody of this standing.
fn forbidden(attempt: Attempt, standing: &Standing, lockdown: Option<&str>) -> Cause {
    let right = |why: String, remedy: &str| Cause { why, remedy: remedy.into(), fault: Fault::Right };
    let (needed, calls) = attempt.needs();
    if standing.in_user_namespace {
        return right(
            "this is a user namespace (a rootless container?), in which no capability gives such rights"
                .into(),
            "run it in the first user namespace, as root of the machine",
        );
    }
    let joined = |capabilities: &[Capability]| {
        capabilities.iter().map(|capability| capability.name()).collect::<Vec<_>>().join(", ")
    };
    let lacking = standing.lacks(needed);
    let blocked: Vec<_> =
        calls.iter().filter(|call| standing.blocked.contains(call)).map(|call| call.name()).collect();
    match (blocked.is_empty(), lacking.is_empty()) {
        (false, true) => right(
            format!("a seccomp filter blocks {}", blocked.join(" and ")),
            "run the container with a seccomp profile that allows it (docker: --security-opt seccomp=unconfined)",
        ),
        (false, false) => right(
            format!(
                "a seccomp filter blocks {}, and this process lacks {}",
                blocked.join(" and "),
                joined(&lacking)
            ),
            "give the container those capabilities (docker: --cap-add), and if that is not enough, a seccomp profile \
             that allows the call (docker: --security-opt seccomp=unconfined)",
        ),
        (true, false) => right(
            format!("this process lacks {}", joined(&lacking)),
            "run it as root (sudo), or give it what it lacks (docker: --cap-add)",
        ),
        (true, true) if standing.capabilities.is_none() => right(
            format!("it takes {}, and what this process has cannot be read from /proc", joined(needed)),
            "run it as root (sudo), with /proc mounted",
        ),
        (true, true) if lockdown.is_some() => right(
            format!(
                "the capabilities are there, and the kernel is locked down ({})",
                lockdown.unwrap_or_default()
            ),
            "boot with lockdown=integrity or none; `confidentiality` forbids kprobes and reading kernel memory",
        ),
        (true, true) if standing.filtered => right(
            "the capabilities are there, and a seccomp filter is in force, which seems to block it".into(),
            "run the container with a seccomp profile that allows it (docker: --security-opt seccomp=unconfined)",
        ),
        (true, true) => right(
            format!("this process has {}, and what forbids it is not known", joined(needed)),
            "look for a denial of SELinux or AppArmor in the kernel's log (dmesg, ausearch -m avc)",
        ),
    }
}

/// There is no room for one more program at a function (kernel/bpf/trampoline.c, `BPF_MAX_TRAMP_LINKS`).
pub fn crowded(error: &io::Error) -> Option<Cause> {
    (error.raw_os_error() == Some(libc::E2BIG)).then(|| Cause {
        why: "as many programs are attached to that function as the kernel allows".into(),
        remedy: "see `injector ps`, or for others' `bpftool link`, and end one".into(),
        fault: Fault::Machine,
    })
}

/// Which limit was reached, if it is one.
pub fn limit(error: &io::Error) -> Option<Cause> {
    let cause = |why: String, remedy: String| Cause { why, remedy, fault: Fault::Machine };
    match error.raw_os_error()? {
        libc::EMFILE => {
            let most = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
            Some(cause(
                format!("this process may have {most} files open, which is not enough (RLIMIT_NOFILE)"),
                "raise the limit: `ulimit -n 4096` before it, LimitNOFILE= in a unit, docker's --ulimit"
                    .into(),
            ))
        }
        libc::ENFILE => Some(cause(
            "all processes together have as many files open as the machine allows (fs.file-max)".into(),
            "raise it: sysctl fs.file-max".into(),
        )),
        libc::ENOMEM => Some(match memory_limit() {
            Some((cgroup, most)) => cause(
                format!(
                    "the cgroup {cgroup}, in which it runs, may use {most} bytes of memory, which is not enough"
                ),
                "start it in another cgroup, or raise the limit there (memory.max)".into(),
            ),
            None => cause(
                "there is not enough memory".into(),
                "free some; with fewer calls, rules or processors it takes less".into(),
            ),
        }),
        _ => None,
    }
}

/// The least memory that one of our cgroup's ancestors, or itself, allows, and which one that is.
fn memory_limit() -> Option<(String, u64)> {
    let procfs = Procfs::default();
    let hierarchy = Hierarchy::discover(&procfs).ok()?;
    let own = procfs.own_cgroup().ok()??;
    let below = own.strip_prefix("/").unwrap_or(&own);
    let limits = below.ancestors().filter_map(|cgroup| {
        let text = fs::read_to_string(hierarchy.mount_point().join(cgroup).join("memory.max")).ok()?;
        Some((Path::new("/").join(cgroup).display().to_string(), text.trim().parse().ok()?))
    });
    limits.min_by_key(|&(_, most)| most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u64 = u64::MAX;
    const ADMIN: u64 = 1 << Capability::SysAdmin as u32;

    fn why(attempt: Attempt, standing: &Standing) -> String {
        let cause = forbidden(attempt, standing, None);
        assert_eq!(cause.fault, Fault::Right);
        cause.why
    }

    fn with(capabilities: u64) -> Standing {
        Standing { capabilities: Some(capabilities), ..Standing::default() }
    }

    #[test]
    fn only_what_the_attempt_needs_is_missing() {
        assert_eq!(why(Attempt::Trace, &with(0)), "this process lacks CAP_BPF, CAP_PERFMON");
        assert_eq!(why(Attempt::Network, &with(ALL ^ ADMIN)), "this process lacks CAP_SYS_ADMIN");
        assert_eq!(why(Attempt::Cgroup, &with(ADMIN)), "this process lacks CAP_NET_ADMIN");
        assert_eq!(why(Attempt::List, &with(ALL ^ ADMIN)), "this process lacks CAP_SYS_ADMIN");
        assert!(!why(Attempt::Trace, &with(ADMIN)).contains("lacks"));
    }

    #[test]
    fn a_filter_is_told_by_the_call_that_it_blocks() {
        let behind =
            |capabilities| Standing { filtered: true, blocked: vec![Call::Bpf], ..with(capabilities) };
        // What else is missing was not needed.
        assert_eq!(why(Attempt::Trace, &behind(ADMIN)), "a seccomp filter blocks bpf(2)");
        let both = why(Attempt::Trace, &behind(0));
        assert!(both.contains("blocks bpf(2)") && both.contains("CAP_BPF"), "{both}");
        // Another call was needed.
        assert_eq!(why(Attempt::Mount, &behind(0)), "this process lacks CAP_SYS_ADMIN");
    }

    #[test]
    fn a_user_namespace_comes_first_and_what_is_not_known_is_said_to_be_so() {
        let inside = Standing { in_user_namespace: true, ..with(ALL) };
        assert!(why(Attempt::Trace, &inside).contains("user namespace"));
        assert!(why(Attempt::Trace, &with(ALL)).contains("not known"));
        assert!(why(Attempt::Trace, &Standing::default()).contains("/proc"));
        assert!(forbidden(Attempt::Trace, &with(ALL), Some("confidentiality")).why.contains("locked down"));
    }

    #[test]
    fn a_limit_is_not_the_kernels_fault() {
        for (number, word) in
            [(libc::EMFILE, "RLIMIT_NOFILE"), (libc::ENFILE, "fs.file-max"), (libc::ENOMEM, "memory")]
        {
            let found = cause(&io::Error::from_raw_os_error(number), Attempt::Trace).unwrap();
            assert_eq!(found.fault, Fault::Machine);
            assert!(found.why.contains(word), "{found:?}");
        }
        assert_eq!(cause(&io::Error::from_raw_os_error(libc::EINVAL), Attempt::Trace), None);
    }
}
