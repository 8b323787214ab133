//! `fmod_ret` on the function of a system call: the cheapest way, for any value but 0.

use std::{cell::OnceCell, os::fd::AsFd};

use crate::{
    kernel::{
        bpf::{btf::KernelBtf, kind::Kind, loader::LoadedObject, probe_programs, sys},
        probe,
        syscall::{Attach, AttachError, Attached, by_hook_only, entry_function},
    },
    plan::{
        backend::{Backend, BackendKind, Site, Sites, Verdicts},
        unsupported::{Mechanism, Unsupported},
    },
    syscalls::Entry,
};

/// The backend `fmod_ret`: programs that replace the return value of a system call's function.
pub struct FmodRet<'a> {
    btf: &'a KernelBtf,
    probed: OnceCell<Result<(), Unsupported>>,
}

impl<'a> FmodRet<'a> {
    /// Nothing is tried yet.
    pub fn new(btf: &'a KernelBtf) -> Self {
        Self { btf, probed: OnceCell::new() }
    }
}

impl Backend for FmodRet<'_> {
    fn kind(&self) -> BackendKind {
        BackendKind::FmodRet
    }

    fn can_run(&self) -> Result<(), Unsupported> {
        self.probed.get_or_init(|| probe::probe(Mechanism::FmodRet, self.btf)).clone()
    }

    fn assume(&self) {
        // Already tried, if this fails.
        let _ = self.probed.set(Ok(()));
    }

    fn sites(&self, call: &Entry, verdicts: Verdicts) -> Result<Sites, Unsupported> {
        self.can_run()?;
        if verdicts.zero {
            return Err(Unsupported::missing(
                Mechanism::FmodRet,
                "it cannot return 0, which means \"run the call\"",
                "use a kernel with CONFIG_BPF_KPROBE_OVERRIDE=y",
            ));
        }
        if verdicts.by_hook {
            return Err(by_hook_only(Mechanism::FmodRet, call));
        }
        let function = entry_function(self.btf, call).ok_or_else(|| no_function(Mechanism::FmodRet, call))?;
        // A call that was left out of the kernel's build is a stub of its own, not open to injection
        // (__COND_SYSCALL, arch/x86/include/asm/syscall_wrapper.h). Found out by loading.
        let id = self.btf.function(&function).unwrap_or(0);
        if probe_programs::load(&probe_programs::constant(0), Kind::ModifyReturn(id)).is_err() {
            return Err(no_function(Mechanism::FmodRet, call));
        }
        Ok(Sites { sites: vec![Site { backend: BackendKind::FmodRet, function, hook: 0 }], mask: 0 })
    }
}

impl Attach for FmodRet<'_> {
    fn attach(&self, object: &LoadedObject, sites: &[&Site]) -> Result<Vec<Attached>, AttachError> {
        let attach = |site: &&Site| {
            attach(object, site, "syscall", Kind::ModifyReturn(function_id(self.btf, &site.function)?))
        };
        sites.iter().map(attach).collect()
    }
}

/// This kernel has no function for the call.
pub(super) fn no_function(mechanism: Mechanism, call: &Entry) -> Unsupported {
    Unsupported::missing(
        mechanism,
        format!("this kernel does not implement the {} call {}", call.call.abi, call.name),
        "use a kernel that has this call",
    )
}

/// The BTF id of a function.
pub(super) fn function_id(btf: &KernelBtf, function: &str) -> Result<u32, AttachError> {
    btf.function(function).ok_or_else(|| AttachError::NoFunction(function.to_owned()))
}

/// Loads `program` as `kind` says and attaches it.
pub(in super::super) fn attach(
    object: &LoadedObject,
    site: &Site,
    program: &str,
    kind: Kind,
) -> Result<Attached, AttachError> {
    let program = object.load(program, &site.function, kind)?;
    let link =
        sys::link_tracing(program.as_fd(), kind.numbers().1, u64::from(site.hook)).map_err(|source| {
            AttachError::Attach { function: site.function.clone(), backend: site.backend.to_string(), source }
        })?;
    Ok(Attached::new(Some(program), link))
}
