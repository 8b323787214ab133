//! A kprobe on the function of a system call with `bpf_override_return`: the only way to return 0, and
//! the way that no preemption gets past.

use std::{cell::OnceCell, collections::HashSet, ffi::CString, fs, os::fd::AsFd};

use crate::{
    kernel::{
        bpf::{
            btf::KernelBtf,
            kind::Kind,
            link::{When, link},
            loader::LoadedObject,
            sys,
        },
        probe,
        syscall::{Attach, AttachError, Attached, by_hook_only, entry_function, fmod_ret::no_function},
    },
    plan::{
        backend::{Backend, BackendKind, Site, Sites, Verdicts},
        unsupported::{Mechanism, Unsupported},
    },
    syscalls::Entry,
};

/// The backend `kprobe`: programs that keep a system call from running and set any return value.
pub struct Kprobe<'a> {
    btf: &'a KernelBtf,
    probed: OnceCell<Result<(), Unsupported>>,
    /// Functions that the kernel lists as open to error injection; empty when it shows no list.
    listed: OnceCell<HashSet<String>>,
}

impl<'a> Kprobe<'a> {
    /// Nothing is tried yet.
    pub fn new(btf: &'a KernelBtf) -> Self {
        Self { btf, probed: OnceCell::new(), listed: OnceCell::new() }
    }

    /// May the result of `function` be overridden? A call that was left out of the kernel's build is a stub
    /// that may not. Without a list the attachment itself will tell.
    fn open_to_injection(&self, function: &str) -> bool {
        let listed = self.listed.get_or_init(error_injection_list);
        listed.is_empty() || listed.contains(function)
    }
}

/// Functions whose result the kernel lets programs override; empty when it shows no list: from debugfs or
/// from the symbols by which it is made (include/asm-generic/error-injection.h).
pub(super) fn error_injection_list() -> HashSet<String> {
    let listed = mounted_list();
    if !listed.is_empty() {
        return listed;
    }
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let names = symbols.lines().filter_map(|line| line.split_whitespace().nth(2));
    names.filter_map(|name| name.strip_prefix("_eil_addr_")).map(str::to_owned).collect()
}

/// The same from debugfs alone, which costs nothing where there is no such list.
pub(super) fn mounted_list() -> HashSet<String> {
    let list = fs::read_to_string("/sys/kernel/debug/error_injection/list").unwrap_or_default();
    list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

impl Backend for Kprobe<'_> {
    fn kind(&self) -> BackendKind {
        BackendKind::Kprobe
    }

    fn can_run(&self) -> Result<(), Unsupported> {
        self.probed.get_or_init(|| probe::probe(Mechanism::Kprobe, self.btf)).clone()
    }

    fn assume(&self) {
        // Already tried, if this fails.
        let _ = self.probed.set(Ok(()));
    }

    fn sites(&self, call: &Entry, verdicts: Verdicts) -> Result<Sites, Unsupported> {
        self.can_run()?;
        if verdicts.by_hook {
            return Err(by_hook_only(Mechanism::Kprobe, call));
        }
        let function = entry_function(self.btf, call).ok_or_else(|| no_function(Mechanism::Kprobe, call))?;
        if !self.open_to_injection(&function) {
            return Err(no_function(Mechanism::Kprobe, call));
        }
        Ok(Sites { sites: vec![Site { backend: BackendKind::Kprobe, function, hook: 0 }], mask: 0 })
    }
}

impl Attach for Kprobe<'_> {
    /// One program for all functions: it finds out by itself which call it is in. One link, too, where the
    /// kernel can: hundreds of single ones take seconds to make and to take away.
    fn attach(&self, object: &LoadedObject, sites: &[&Site]) -> Result<Vec<Attached>, AttachError> {
        let refused = |function: &str, source| AttachError::Attach {
            function: function.to_owned(),
            backend: BackendKind::Kprobe.to_string(),
            source,
        };
        if sites.len() > 1 {
            let names: Result<Vec<_>, _> = sites.iter().map(|site| CString::new(&*site.function)).collect();
            let names = names.map_err(|error| refused("many functions", error.into()))?;
            let program = object.load("syscall_kprobe", "kprobes", Kind::KprobeMulti);
            if let Ok(program) = program
                && let Ok(link) = sys::link_kprobe_multi(program.as_fd(), &names)
            {
                return Ok(vec![Attached::new(Some(program), link)]);
            }
        }
        let program = object.load("syscall_kprobe", "kprobe", Kind::Kprobe)?;
        // Its misses are counted for all of them together, so only the first tells.
        let mut kept = program.try_clone().ok();
        let attach = |site: &&Site| {
            let link = link(program.as_fd(), &site.function, When::Entered)
                .map_err(|error| refused(&site.function, error))?;
            Ok(Attached::new(kept.take(), link))
        };
        sites.iter().map(attach).collect()
    }
}
