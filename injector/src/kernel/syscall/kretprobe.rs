//! A kretprobe on the function of a system call with `bpf_override_return`: the call runs, and its caller
//! is told something else. Nothing else in the kernel can change the result of a call that has run.

use std::{
    cell::OnceCell,
    collections::HashSet,
    os::fd::{AsFd, OwnedFd},
};

use crate::{
    kernel::{
        bpf::{
            btf::KernelBtf,
            kind::Kind,
            link::{When, link},
            loader::LoadedObject,
        },
        probe,
        syscall::{
            Attach, AttachError, Attached, entry_function, fmod_ret::no_function,
            kprobe::error_injection_list,
        },
    },
    plan::{
        backend::{Backend, BackendKind, Site, Sites, Verdicts},
        unsupported::{Mechanism, Unsupported},
    },
    syscalls::Entry,
};

/// The function of `close`, by whatever entry.
const CLOSE: &str = "_sys_close";

/// The backend `kretprobe`: programs that change the result of a call that has run.
pub struct Kretprobe<'a> {
    btf: &'a KernelBtf,
    probed: OnceCell<Result<(), Unsupported>>,
    listed: OnceCell<HashSet<String>>,
}

impl<'a> Kretprobe<'a> {
    /// Nothing is tried yet.
    pub fn new(btf: &'a KernelBtf) -> Self {
        Self { btf, probed: OnceCell::new(), listed: OnceCell::new() }
    }
}

impl Backend for Kretprobe<'_> {
    fn kind(&self) -> BackendKind {
        BackendKind::Kretprobe
    }

    fn can_run(&self) -> Result<(), Unsupported> {
        self.probed.get_or_init(|| probe::probe(Mechanism::Kretprobe, self.btf)).clone()
    }

    fn assume(&self) {
        // Already tried, if this fails.
        let _ = self.probed.set(Ok(()));
    }

    fn sites(&self, call: &Entry, _: Verdicts) -> Result<Sites, Unsupported> {
        self.can_run()?;
        let missing = || no_function(Mechanism::Kretprobe, call);
        let function = entry_function(self.btf, call).ok_or_else(missing)?;
        let listed = self.listed.get_or_init(error_injection_list);
        if !listed.is_empty() && !listed.contains(&function) {
            return Err(missing());
        }
        Ok(Sites { sites: vec![Site { backend: BackendKind::Kretprobe, function, hook: 0 }], mask: 0 })
    }
}

impl Attach for Kretprobe<'_> {
    /// One program for all functions, as with the kprobe; a link for each. Where a call takes away what it is about,
    /// another one finds that out before it runs.
    fn attach(&self, object: &LoadedObject, sites: &[&Site]) -> Result<Vec<Attached>, AttachError> {
        let program = object.load("syscall_exit", "kretprobe", Kind::Kprobe)?;
        let mut kept = program.try_clone().ok();
        let put = |program: &OwnedFd, site: &Site, when| {
            link(program.as_fd(), &site.function, when).map_err(|source| {
                let (function, backend) = (site.function.clone(), BackendKind::Kretprobe.to_string());
                AttachError::Attach { function, backend, source }
            })
        };
        let attach = |site: &&Site| {
            let mut links = vec![put(&program, site, When::Returned)?];
            if object.knows_objects() && site.function.ends_with(CLOSE) {
                let first = object.load("syscall_keep", "kprobe", Kind::Kprobe)?;
                links.push(put(&first, site, When::Entered)?);
            }
            Ok(Attached::of_several(kept.take().into_iter().collect(), links))
        };
        sites.iter().map(attach).collect()
    }
}
