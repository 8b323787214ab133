//! Rules on operations: which hooks they need, and what each hook has to ask.

use std::collections::{BTreeMap, BTreeSet};

use injector_common::{
    glob::Glob,
    operation::{HookRules, OperationRule as KernelRule, Ports, SocketMatch},
    thread::MAX_SLOTS,
};

use super::{error::PlanError, packets};
use crate::{
    kernel::{
        Mechanism, Unsupported,
        operation::OperationHooks,
        syscall::{BackendKind, Site, Verdicts},
    },
    operations,
    spec::{
        model::{Rule, RuleKind},
        operation::OperationRule,
    },
};

/// What the hooks have to ask.
#[derive(Clone, Debug, Default)]
pub struct Operations {
    /// By hook: which entries of `rules`.
    pub hooks: BTreeMap<u16, HookRules>,
    /// Hook by hook, each in the order of the plan.
    pub rules: Vec<KernelRule>,
    /// Paths, by number.
    pub globs: Vec<Glob>,
    /// Ports, by number.
    pub ports: Vec<Ports>,
    /// Counters that each thread needs for them.
    pub slots: usize,
}

/// Finds the hooks of every operation of every rule. Counters start at `first_slot`. A hook that decides
/// for calls, too, gets one program for both.
pub(super) fn resolve(
    rules: &[Rule],
    first_slot: usize,
    hooks: &dyn OperationHooks,
    sites: &mut BTreeSet<Site>,
) -> Result<Operations, PlanError> {
    let mut out = Operations::default();
    let mut by_hook: BTreeMap<u16, Vec<KernelRule>> = BTreeMap::new();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    for (rule, nth) in rules.iter().zip(0u32..) {
        let RuleKind::Operation(spec) = &rule.kind else { continue };
        let refused = |operation, cause| PlanError::Operation { rule: rule.text.clone(), operation, cause };
        let glob = spec.paths.as_ref().map_or(0, |paths| {
            out.globs.push(*paths.glob());
            number(out.globs.len())
        });
        let ports = if spec.ports.is_empty() {
            0
        } else {
            out.ports.push(Ports::of(&spec.ports));
            number(out.ports.len())
        };
        for operation in &spec.operations {
            let found = hooks.sites(operation).map_err(|cause| refused(operation.name, cause))?;
            if Verdicts::of(-i64::from(spec.error.number())).unsafe_at_hooks {
                return Err(refused(operation.name, unsafe_error()));
            }
            let kernel = KernelRule {
                rule: nth,
                slot: number(first_slot + out.slots),
                operation: operations::number(operation),
                mask: operation.mask,
                glob,
                ports,
                sockets: sockets(spec),
            };
            out.slots += 1;
            for site in found {
                by_hook.entry(site.hook).or_default().push(kernel);
                sites.remove(&Site { backend: BackendKind::Hook, ..site.clone() });
                sites.insert(site);
            }
        }
    }
    if first_slot + out.slots > MAX_SLOTS as usize {
        return Err(PlanError::TooManySlots { slots: first_slot + out.slots });
    }
    for (hook, rules) in by_hook {
        let (base, count) = (number(out.rules.len()), number(rules.len()));
        out.hooks.insert(hook, HookRules { base, count, zero: 0 });
        out.rules.extend(rules);
    }
    Ok(out)
}

fn unsafe_error() -> Unsupported {
    Unsupported::missing(
        Mechanism::Hook,
        "a security hook can only return an errno from 1 to 511 other than ECHILD and ESTALE; anything else \
         crashes the kernel or makes it try again",
        "choose another error",
    )
}

/// Which sockets a rule means.
fn sockets(rule: &OperationRule) -> SocketMatch {
    let mut out = SocketMatch::default();
    if let Some(net) = rule.peer {
        out.peer = packets::prefix(net);
        out.needs_peer = 1;
        out.family = if net.addr().is_ipv4() { 4 } else { 6 };
    }
    out
}
