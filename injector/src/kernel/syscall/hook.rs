//! `fmod_ret` on security hooks: works where system calls themselves cannot be changed, for calls that
//! pass a hook which can fail them.
//!
//! The table says which hook decides for which call: exactly one run in each call, so that a rule counts
//! it once. kernels.md and the kernel's source (6.12, and 6.1 where it differs) are where it comes from.

use std::{cell::OnceCell, collections::HashSet};

use crate::{
    kernel::{
        bpf::{btf::KernelBtf, kind::Kind, loader::LoadedObject},
        probe::{self, kernel_config},
        syscall::{
            Attach, AttachError, Attached,
            fmod_ret::{attach, function_id},
            kprobe::mounted_list,
        },
    },
    operations::{self, Arguments, Operation},
    plan::{
        backend::{Backend, BackendKind, Site, Sites, Verdicts},
        unsupported::{Mechanism, Unsupported},
    },
    syscalls::Entry,
};

/// `MAY_WRITE` and `MAY_READ` (include/linux/fs.h).
const WRITE: u32 = 2;
const READ: u32 = 4;

/// Calls, the hooks that decide for them (the first spelling that the kernel has of each column, columns
/// separated by blanks, spellings by `|`), and the mask. A hook's number is its place in [`hooks`].
#[rustfmt::skip]
const TABLE: &[(&str, &str, u32)] = &[
    ("read readv pread64 preadv preadv2 getdents getdents64", "security_file_permission", READ),
    ("write writev pwrite64 pwritev pwritev2 fallocate", "security_file_permission", WRITE),
    ("open openat openat2 creat", "security_file_open", 0),
    ("truncate truncate64", "security_path_truncate", 0),
    ("ftruncate ftruncate64", "security_file_truncate|security_path_truncate", 0),
    ("rename renameat renameat2", "security_path_rename", 0),
    ("unlink", "security_path_unlink", 0),
    ("unlinkat", "security_path_unlink security_path_rmdir", 0),
    ("rmdir", "security_path_rmdir", 0),
    ("mkdir mkdirat", "security_path_mkdir", 0),
    ("link linkat", "security_path_link", 0),
    ("symlink symlinkat", "security_path_symlink", 0),
    ("mknod mknodat", "security_path_mknod", 0),
    ("chmod fchmod fchmodat fchmodat2", "security_path_chmod", 0),
    ("chown lchown fchown fchownat chown32 lchown32 fchown32", "security_path_chown", 0),
    ("chroot", "security_path_chroot", 0),
    ("stat lstat fstat newfstatat fstatat64 stat64 lstat64 fstat64 statx oldstat oldlstat oldfstat", "security_inode_getattr", 0),
    ("ioctl", "security_file_ioctl security_file_ioctl_compat", 0),
    ("fcntl fcntl64", "security_file_fcntl", 0),
    ("flock", "security_file_lock", 0),
    ("mmap mmap2", "security_mmap_file", 0),
    ("socket", "security_socket_create", 0),
    ("socketpair", "security_socket_socketpair", 0),
    ("bind", "security_socket_bind", 0),
    ("listen", "security_socket_listen", 0),
    ("connect", "security_socket_connect", 0),
    ("accept accept4", "security_socket_accept", 0),
    ("send sendto sendmsg", "security_socket_sendmsg", 0),
    ("recv recvfrom recvmsg recvmmsg recvmmsg_time64", "security_socket_recvmsg", 0),
    ("getsockname", "security_socket_getsockname", 0),
    ("getpeername", "security_socket_getpeername", 0),
    ("getsockopt", "security_socket_getsockopt", 0),
    ("setsockopt", "security_socket_setsockopt", 0),
    ("shutdown", "security_socket_shutdown", 0),
    ("execve execveat", "security_bprm_creds_for_exec", 0),
    ("fork vfork clone clone3", "security_task_alloc", 0),
    ("mount", "security_sb_mount", 0),
    ("umount umount2", "security_sb_umount", 0),
];

/// Where hooks that only calls pass have the file or the socket; the others do not say, or none that a rule can
/// mean. Those of operations stand in [`operations::TABLE`].
const ARGUMENTS: &[(&str, Arguments)] = &[
    ("security_file_fcntl", Arguments::File),
    ("security_path_chroot", Arguments::Path),
    ("security_socket_getsockname", Arguments::Socket),
    ("security_socket_getpeername", Arguments::Socket),
    ("security_socket_getsockopt", Arguments::Socket),
    ("security_socket_setsockopt", Arguments::Socket),
    ("security_socket_shutdown", Arguments::Socket),
];

/// Calls that pass a hook, but not exactly once, so that no rule could count them.
const REPEATED: &[(&str, &str)] = &[
    ("sendfile", "its hooks run again for each piece of the file before 6.8, and not at all for a pipe"),
    ("sendfile64", "its hooks run again for each piece of the file before 6.8, and not at all for a pipe"),
    ("copy_file_range", "its hooks run again for each piece of the file before 6.8"),
    ("statfs", "its hook runs again for the file system below an overlay"),
    ("fstatfs", "its hook runs again for the file system below an overlay"),
    ("prctl", "its hook says ENOSYS for \"go on\""),
    ("sendmmsg", "its hook runs once for each message"),
    ("kill", "its hook runs once for each process that the signal goes to"),
    ("mprotect", "its hook runs once for each mapping in the range"),
];

/// All hooks, of calls and of operations, each once; a hook's number is its index plus one.
fn hooks() -> Vec<&'static str> {
    let mut all = Vec::new();
    let of_calls = TABLE.iter().flat_map(|(_, hooks, _)| hooks.split([' ', '|']));
    let of_operations = operations::TABLE.iter().flat_map(|operation| operation.hooks).map(|&(hook, _)| hook);
    for hook in of_calls.chain(of_operations) {
        if !all.contains(&hook) {
            all.push(hook);
        }
    }
    all
}

/// The number of the hook `function`; 0 for one that is in no table.
fn number(function: &str) -> u16 {
    let place = hooks().iter().position(|hook| *hook == function);
    place.and_then(|place| u16::try_from(place + 1).ok()).unwrap_or(0)
}

/// Where the hook `function` has what it is about.
fn arguments(function: &str) -> Option<Arguments> {
    let of_calls = ARGUMENTS.iter().find(|(name, _)| *name == function).map(|&(_, arguments)| arguments);
    operations::arguments(function).or(of_calls)
}

/// The program for the hook of a site.
pub(super) fn program(site: &Site) -> &'static str {
    arguments(&site.function).map_or("hook_plain", Arguments::program)
}

/// The calls that this backend knows, with their hooks: what the documentation prints.
pub fn table() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.iter().flat_map(|&(calls, hooks, _)| calls.split(' ').map(move |call| (call, hooks)))
}

/// The backend `hook`: programs that fail a call at the security hook that it passes.
pub struct Hook<'a> {
    btf: &'a KernelBtf,
    probed: OnceCell<Result<(), Unsupported>>,
    /// Attach as a security module, if that works: its programs are never skipped.
    as_module: bool,
    /// Functions of calls that were built, where the kernel lists them. The others are stubs, which get to
    /// no hook (kernel/sys_ni.c).
    built: OnceCell<HashSet<String>>,
}

impl<'a> Hook<'a> {
    /// Nothing is tried yet, but for `fully_preemptible` kernels whether the BPF security module is active.
    ///
    /// There a task can be interrupted in the program, and until it goes on the kernel skips the program for
    /// all other tasks of that CPU; but not one of the security module, which it enters without that
    /// check (kernel/bpf/trampoline.c, `__bpf_prog_enter` against `__bpf_prog_enter_recur`).
    pub fn new(btf: &'a KernelBtf, fully_preemptible: bool) -> Self {
        let as_module = fully_preemptible && probe::probe(Mechanism::Lsm, btf).is_ok();
        Self { btf, probed: OnceCell::new(), as_module, built: OnceCell::new() }
    }

    /// What a program at `function` is loaded as.
    fn load_kind(&self, function: &str) -> Result<Kind, AttachError> {
        let module = function.replacen("security_", "bpf_lsm_", 1);
        match self.btf.function(&module) {
            Some(id) if self.as_module => Ok(Kind::Lsm(id)),
            _ => function_id(self.btf, function).map(Kind::ModifyReturn),
        }
    }
}

impl Backend for Hook<'_> {
    fn kind(&self) -> BackendKind {
        BackendKind::Hook
    }

    fn can_run(&self) -> Result<(), Unsupported> {
        self.probed.get_or_init(|| probe::probe(Mechanism::Hook, self.btf)).clone()
    }

    fn assume(&self) {
        // Already tried, if this fails.
        let _ = self.probed.set(Ok(()));
    }

    fn sites(&self, call: &Entry, verdicts: Verdicts) -> Result<Sites, Unsupported> {
        self.can_run()?;
        let missing = |why: String| {
            let remedy = "use a kernel with CONFIG_FUNCTION_ERROR_INJECTION=y, where any call can be failed";
            Unsupported::missing(Mechanism::Hook, why, remedy)
        };
        if let Some((_, why)) = REPEATED.iter().find(|(name, _)| *name == call.name) {
            return Err(missing(format!("{} cannot be failed there: {why}", call.name)));
        }
        let Some((_, hooks_of_call, mask)) =
            TABLE.iter().find(|(calls, _, _)| calls.split(' ').any(|name| name == call.name))
        else {
            return Err(missing(format!("{} passes no security hook that could fail it", call.name)));
        };
        if verdicts.unsafe_at_hooks {
            return Err(missing(
                "a security hook can only return an errno from 1 to 511 other than ECHILD and ESTALE; anything \
                 else crashes the kernel or makes it try again"
                    .into(),
            ));
        }
        let built = self.built.get_or_init(mounted_list);
        if !built.is_empty() && !call.entry_points().iter().any(|function| built.contains(function)) {
            return Err(missing(format!("this kernel was built without {}", call.name)));
        }
        let mut sites = Vec::new();
        for spellings in hooks_of_call.split(' ') {
            let Some(function) = spellings.split('|').find(|name| self.btf.function(name).is_some()) else {
                continue;
            };
            if verdicts.objects && arguments(function).is_none() {
                return Err(missing(format!(
                    "the hook {function} does not say which file or socket {call} is about",
                    call = call.name
                )));
            }
            let hook = number(function);
            sites.push(Site { backend: BackendKind::Hook, function: function.to_owned(), hook });
        }
        if sites.is_empty() {
            return Err(missing(format!("this kernel has no hook {hooks_of_call}")));
        }
        Ok(Sites { sites, mask: *mask })
    }

    fn operation_sites(&self, operation: &Operation) -> Result<Vec<Site>, Unsupported> {
        self.can_run()?;
        let here = operation.hooks.iter().filter(|(function, _)| self.btf.function(function).is_some());
        let site = |&(function, _): &(&str, _)| Site {
            backend: BackendKind::Hook,
            function: function.to_owned(),
            hook: number(function),
        };
        let sites: Vec<_> = here.map(site).collect();
        if !sites.is_empty() {
            return Ok(sites);
        }
        let (function, _) = operation.hooks[0];
        // security/security.c: each family of hooks is built by an option of its own.
        let option = if function.starts_with("security_path_") {
            "CONFIG_SECURITY_PATH"
        } else if function.starts_with("security_socket_") {
            "CONFIG_SECURITY_NETWORK"
        } else {
            "CONFIG_SECURITY"
        };
        let why = format!("it has no hook {function}: {}", kernel_config::without(option));
        Err(Unsupported::missing(Mechanism::Hook, why, format!("use a kernel with {option}=y")))
    }
}

impl Attach for Hook<'_> {
    fn attach(&self, object: &LoadedObject, sites: &[&Site]) -> Result<Vec<Attached>, AttachError> {
        sites
            .iter()
            .map(|site| attach(object, site, program(site), self.load_kind(&site.function)?))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::{self, Machine};

    #[test]
    fn every_call_of_the_table_exists_and_stands_once() {
        let mut seen = Vec::new();
        for (name, _) in table() {
            let machines = [Machine::X86_64, Machine::Arm64];
            assert!(machines.into_iter().flat_map(syscalls::all).any(|entry| entry.name == name), "{name}");
            assert!(!seen.contains(&name), "{name} stands twice");
            seen.push(name);
        }
    }

    #[test]
    fn no_call_has_more_hooks_than_the_call_table_holds() {
        for (calls, hooks, _) in TABLE {
            assert!(hooks.split(' ').count() <= 2, "{calls}");
        }
    }
}
