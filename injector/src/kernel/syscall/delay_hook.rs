//! Programs that sleep, at a security hook of a system call: for kernels whose calls cannot be delayed at
//! their own functions. Programs of the BPF security module are never skipped, so one of them lets any number
//! of threads sleep.

use std::{cell::OnceCell, os::fd::AsFd};

use crate::{
    kernel::{
        bpf::{btf::KernelBtf, kind::Kind, loader::LoadedObject, probe_programs, sys},
        probe,
        sleep::Numbers,
        syscall::{
            Attach, AttachError, Attached,
            delay::programs_at,
            fmod_ret::function_id,
            hook::{Hook, program},
        },
    },
    operations::Operation,
    plan::{
        backend::{Backend, BackendKind, Site, Sites, Verdicts, Wait},
        unsupported::{Mechanism, Unsupported},
    },
    syscalls::{
        Entry,
        hooks::{held_at, may_sleep_at},
    },
};

/// The backend `call_delay_hook`: programs that sleep at a security hook.
pub struct CallDelayHook<'a> {
    btf: &'a KernelBtf,
    /// Finds hooks in the same way.
    hook: Hook<'a>,
    probed: OnceCell<Result<(), Unsupported>>,
}

impl<'a> CallDelayHook<'a> {
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
        if !may_sleep_at(hook) {
            return Err(format!("nobody may sleep at {hook}"));
        }
        let function = Self::function(site);
        let id = self.btf.function(&function).ok_or_else(|| format!("the kernel has no {function}"))?;
        // Which hooks are for programs that sleep is a list in the kernel (kernel/bpf/bpf_lsm.c,
        // sleepable_lsm_hooks). Found out by loading.
        probe_programs::load(&probe_programs::constant(0), Kind::LsmSleepable(id))
            .map(drop)
            .map_err(|_| format!("the kernel lets no program sleep at {hook}"))
    }
}

impl Backend for CallDelayHook<'_> {
    fn kind(&self) -> BackendKind {
        BackendKind::CallDelayHook
    }

    fn delays(&self) -> bool {
        true
    }

    fn can_run(&self) -> Result<(), Unsupported> {
        self.probed.get_or_init(|| probe::probe(Mechanism::CallDelayHook, self.btf)).clone()
    }

    fn assume(&self) {
        // Already tried, if this fails.
        let _ = self.probed.set(Ok(()));
        self.hook.assume();
    }

    fn sites(&self, call: &Entry, verdicts: Verdicts) -> Result<Sites, Unsupported> {
        const REMEDY: &str = "use a kernel with CONFIG_FUNCTION_ERROR_INJECTION=y, where any call can be delayed; \
                              `strace -e inject=` can delay calls anywhere, at the price of tracing";
        let missing = |why: String| Unsupported::missing(Mechanism::CallDelayHook, why, REMEDY);
        self.can_run()?;
        if verdicts.wait == Wait::Behind {
            return Err(missing(
                "there is no security hook behind a call, so delay_exit= cannot be had".into(),
            ));
        }
        let told = |cause: Unsupported| cause.keeps_from(Mechanism::CallDelayHook, REMEDY);
        let mut found = self.hook.sites(call, verdicts).map_err(told)?;
        for site in &mut found.sites {
            if let Some(held) = held_at(&site.function) {
                return Err(missing(format!("at {} the kernel holds {held}", site.function)));
            }
            self.allows_sleep(site).map_err(missing)?;
            site.backend = BackendKind::CallDelayHook;
        }
        Ok(found)
    }

    fn operation_sites(&self, operation: &Operation) -> Result<Vec<Site>, Unsupported> {
        const REMEDY: &str = "delay another operation, or the system call (`-e inject=…:delay_enter=`), which kernels \
                              with CONFIG_FUNCTION_ERROR_INJECTION=y can";
        self.can_run()?;
        let mut sites = self.hook.operation_sites(operation)?;
        for site in &mut sites {
            self.allows_sleep(site)
                .map_err(|why| Unsupported::missing(Mechanism::CallDelayHook, why, REMEDY))?;
            site.backend = BackendKind::CallDelayHook;
        }
        Ok(sites)
    }
}

impl Attach for CallDelayHook<'_> {
    fn attach(&self, object: &LoadedObject, sites: &[&Site]) -> Result<Vec<Attached>, AttachError> {
        let attach = |site: &&Site| {
            let function = Self::function(site);
            let id = function_id(self.btf, &function)?;
            let refused = |source| {
                let (function, backend) = (function.clone(), BackendKind::CallDelayHook.to_string());
                AttachError::Attach { function, backend, source }
            };
            let one = |program: &str, kind: Kind| -> Result<_, AttachError> {
                let program = object.load(program, &function, kind)?;
                let cookie = u64::from(site.hook);
                let link = sys::link_tracing(program.as_fd(), kind.numbers().1, cookie).map_err(refused)?;
                Numbers::now().and_then(|numbers| numbers.give(program, &link)).map_err(refused)
            };
            // Who decides comes last, and so runs first.
            let sleeps = one("delay_at_hook", Kind::LsmSleepable(id))?;
            let others = programs_at(id).map_err(refused)?;
            let decides = one(&format!("delay_{}", program(site)), Kind::Lsm(id))?;
            let (mut programs, links): (Vec<_>, _) = [decides, sleeps].into_iter().unzip();
            programs.extend(others);
            Ok(Attached::of_several(programs, links))
        };
        sites.iter().map(attach).collect()
    }
}
