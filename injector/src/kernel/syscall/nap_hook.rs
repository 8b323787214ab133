//! Programs that sleep, at a security hook of a system call: for kernels whose calls cannot be delayed at
//! their own functions. Programs of the BPF security module are never skipped, so one of them lets any number
//! of threads sleep.

use std::{cell::OnceCell, os::fd::AsFd};

use super::{
    super::{
        btf::KernelBtf,
        nap::Numbers,
        object::{Kind, Ready},
        probe, sys, tiny,
        unsupported::{Mechanism, Unsupported},
    },
    AttachError, Attached, Backend, BackendKind, Site, Sites, Verdicts, Wait,
    fmod_ret::function_id,
    hook::{Hook, program},
    nap::programs_at,
};
use crate::{operations::Operation, syscalls::Entry};

/// What the kernel holds at hooks where a thread may sleep, for which others wait (fs/namei.c, fs/open.c). At
/// those of [`UNLOCKED`] it is nothing (fs/open.c, fs/ioctl.c, fs/locks.c, mm/util.c, fs/stat.c, net/socket.c).
const LOCKED: [(&str, &str); 9] = [
    ("security_path_rename", "the lock of both folders, and of all renames of the file system"),
    ("security_path_unlink", "the folder's lock"),
    ("security_path_rmdir", "the folder's lock"),
    ("security_path_mkdir", "the folder's lock"),
    ("security_path_symlink", "the folder's lock"),
    ("security_path_link", "the folder's lock"),
    ("security_path_chmod", "the file's lock"),
    ("security_path_chown", "the file's lock"),
    ("security_path_truncate", "the right to write to the file system, which keeps it from being frozen"),
];

/// Hooks of calls and operations at which a thread may sleep and others do not wait for it.
const UNLOCKED: [&str; 6] = [
    "security_file_open",
    "security_file_ioctl",
    "security_file_ioctl_compat",
    "security_file_lock",
    "security_mmap_file",
    "security_inode_getattr",
];

/// The same of all that begin so.
const UNLOCKED_PREFIX: &str = "security_socket_";

/// What the kernel holds at `hook` for which others wait, if it is one of those where a thread may sleep.
pub fn held_at(hook: &str) -> Option<&'static str> {
    LOCKED.iter().find(|(name, _)| *name == hook).map(|&(_, held)| held)
}

/// See the module.
pub struct NapHook<'a> {
    btf: &'a KernelBtf,
    /// Finds hooks in the same way.
    hook: Hook<'a>,
    probed: OnceCell<Result<(), Unsupported>>,
}

impl<'a> NapHook<'a> {
    /// Nothing is tried yet.
    pub fn new(btf: &'a KernelBtf) -> Self {
        Self { btf, hook: Hook::new(btf, false), probed: OnceCell::new() }
    }

    /// The function of the BPF security module that a hook calls.
    fn function(site: &Site) -> String {
        site.function.replacen("security_", "bpf_lsm_", 1)
    }

    /// Can somebody sleep at this hook?
    fn allows_sleep(&self, site: &Site) -> Result<(), String> {
        let hook = site.function.as_str();
        if !UNLOCKED.contains(&hook) && !hook.starts_with(UNLOCKED_PREFIX) && held_at(hook).is_none() {
            return Err(format!("nobody may sleep at {hook}"));
        }
        let function = Self::function(site);
        let id = self.btf.function(&function).ok_or_else(|| format!("the kernel has no {function}"))?;
        // Which hooks are for programs that sleep is a list in the kernel (kernel/bpf/bpf_lsm.c,
        // sleepable_lsm_hooks). Found out by loading.
        tiny::load(&tiny::constant(0), Kind::LsmSleepable(id))
            .map(drop)
            .map_err(|_| format!("the kernel lets no program sleep at {hook}"))
    }
}

impl Backend for NapHook<'_> {
    fn kind(&self) -> BackendKind {
        BackendKind::NapHook
    }

    fn delays(&self) -> bool {
        true
    }

    fn can_run(&self) -> Result<(), Unsupported> {
        self.probed.get_or_init(|| probe::probe(Mechanism::NapHook, self.btf)).clone()
    }

    fn assume(&self) {
        // Already tried, if this fails.
        let _ = self.probed.set(Ok(()));
        self.hook.assume();
    }

    fn sites(&self, call: &Entry, verdicts: Verdicts) -> Result<Sites, Unsupported> {
        const REMEDY: &str = "use a kernel with CONFIG_FUNCTION_ERROR_INJECTION=y, where any call can be delayed; \
                              `strace -e inject=` can delay calls anywhere, at the price of tracing";
        let missing = |why: String| Unsupported::missing(Mechanism::NapHook, why, REMEDY);
        self.can_run()?;
        if verdicts.wait == Wait::Behind {
            return Err(missing(
                "there is no security hook behind a call, so delay_exit= cannot be had".into(),
            ));
        }
        let told = |cause: Unsupported| cause.keeps_from(Mechanism::NapHook, REMEDY);
        let mut found = self.hook.sites(call, verdicts).map_err(told)?;
        for site in &mut found.sites {
            if let Some(held) = held_at(&site.function) {
                return Err(missing(format!("at {} the kernel holds {held}", site.function)));
            }
            self.allows_sleep(site).map_err(missing)?;
            site.backend = BackendKind::NapHook;
        }
        Ok(found)
    }

    fn operation_sites(&self, operation: &Operation) -> Result<Vec<Site>, Unsupported> {
        const REMEDY: &str = "delay another operation, or the system call (`-e inject=…:delay_enter=`), which kernels \
                              with CONFIG_FUNCTION_ERROR_INJECTION=y can";
        self.can_run()?;
        let mut sites = self.hook.operation_sites(operation)?;
        for site in &mut sites {
            self.allows_sleep(site).map_err(|why| Unsupported::missing(Mechanism::NapHook, why, REMEDY))?;
            site.backend = BackendKind::NapHook;
        }
        Ok(sites)
    }

    fn attach(&self, ready: &Ready, sites: &[&Site]) -> Result<Vec<Attached>, AttachError> {
        let attach = |site: &&Site| {
            let function = Self::function(site);
            let id = function_id(self.btf, &function)?;
            let refused = |source| {
                let (function, backend) = (function.clone(), BackendKind::NapHook.to_string());
                AttachError::Attach { function, backend, source }
            };
            let one = |program: &str, kind: Kind| -> Result<_, AttachError> {
                let program = ready.load(program, &function, kind)?;
                let cookie = u64::from(site.hook);
                let link = sys::link_tracing(program.as_fd(), kind.numbers().1, cookie).map_err(refused)?;
                Numbers::now().and_then(|numbers| numbers.give(program, &link)).map_err(refused)
            };
            // Who decides comes last, and so runs first.
            let sleeps = one("nap_at_hook", Kind::LsmSleepable(id))?;
            let others = programs_at(id).map_err(refused)?;
            let decides = one(&format!("nap_{}", program(site)), Kind::Lsm(id))?;
            let (mut programs, links): (Vec<_>, _) = [decides, sleeps].into_iter().unzip();
            programs.extend(others);
            Ok(Attached::of_several(programs, links))
        };
        sites.iter().map(attach).collect()
    }
}
