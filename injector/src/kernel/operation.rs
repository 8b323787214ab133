//! Where operations are caught: at security hooks, by `fmod_ret`, or by the BPF security module on fully
//! preemptible kernels (see [`Hook::new`]).

use super::{
    btf::KernelBtf,
    object::Ready,
    setting,
    syscall::{
        AttachError, Attached, Backend, BackendKind, Site, fmod_ret,
        hook::{self, Hook},
    },
    unsupported::{Mechanism, Unsupported},
};
use crate::operations::{self, Operation};

/// The hooks of a kernel, as far as operations need them.
pub trait OperationHooks {
    /// Where `operation` is caught, or why it cannot be.
    fn sites(&self, operation: &Operation) -> Result<Vec<Site>, Unsupported>;
}

/// Those of the running kernel.
pub struct Hooks<'a> {
    btf: &'a KernelBtf,
    hook: Hook<'a>,
}

impl<'a> Hooks<'a> {
    /// Nothing is tried yet, see [`Hook::new`].
    pub fn new(btf: &'a KernelBtf, fully_preemptible: bool) -> Self {
        Self { btf, hook: Hook::new(btf, fully_preemptible) }
    }

    /// Attaches at `site`, which is one of [`OperationHooks::sites`].
    pub(super) fn attach(&self, ready: &Ready, site: &Site) -> Result<Attached, AttachError> {
        let arguments = operations::arguments(&site.function);
        let arguments = arguments.ok_or_else(|| AttachError::NoFunction(site.function.clone()))?;
        fmod_ret::attach(ready, site, arguments.program(), self.hook.load_kind(&site.function)?)
    }
}

impl OperationHooks for Hooks<'_> {
    fn sites(&self, operation: &Operation) -> Result<Vec<Site>, Unsupported> {
        self.hook.can_run()?;
        let here = operation.hooks.iter().filter(|(function, _)| self.btf.function(function).is_some());
        let site = |&(function, _): &(&str, _)| Site {
            backend: BackendKind::Operation,
            function: function.to_owned(),
            hook: hook::number(function),
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
        let why = format!("it has no hook {function}: {}", setting::without(option));
        Err(Unsupported::missing(Mechanism::Hook, why, format!("use a kernel with {option}=y")))
    }
}
