//! Rules made concrete for this kernel: which function each call is caught at, which slot each rule has,
//! what is refused and why. Pure data, printable; nothing is attached here.

mod calls;
mod error;
mod operations;
mod packets;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytemuck::Zeroable;
use injector_common::{
    MAX_RULES,
    call::CallRules,
    packet::{EGRESS, INGRESS},
    random::rule_seed,
    rule::{FAULT_DROP, FAULT_RETURN, Rule as KernelRule},
    trigger::{Threshold, When as KernelWhen},
};

pub use self::{error::PlanError, operations::Operations};
use crate::{
    kernel::{
        operation::OperationHooks,
        syscall::{Backend, Site},
    },
    spec::model::{Rule, RuleKind, Trigger},
};

/// What a user can say about a plan as a whole.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed of all draws.
    pub seed: u64,
    /// Count what would have fired, inject nothing.
    pub monitor: bool,
    /// Allow what is dangerous.
    pub insist: bool,
    /// How long the plan acts; `None` for as long as the injector lives.
    pub duration: Option<Duration>,
}

/// One rule of a plan.
#[derive(Clone, Debug)]
pub struct PlannedRule {
    /// As the user gave it.
    pub text: String,
    /// What the kernel side reads.
    pub kernel: KernelRule,
    /// System calls that it names and that can be caught, over all ABIs; 0 for a packet rule.
    pub calls: usize,
}

/// Everything that is to be done, and nothing done yet.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The plan's number, by which `ps` and `stop` know it.
    pub id: u32,
    /// What the user said.
    pub options: Options,
    /// The rules, in their order.
    pub rules: Vec<PlannedRule>,
    /// The functions to attach to.
    pub sites: BTreeSet<Site>,
    /// The call table: entry -> slots and hooks.
    pub calls: BTreeMap<u32, CallRules>,
    /// The slot table: slot -> rule.
    pub slots: Vec<u32>,
    /// Rules on operations, by hook.
    pub operations: Operations,
    /// What the user ought to know: calls that were left out, and why.
    pub notes: Vec<String>,
}

impl Plan {
    /// Makes `rules` concrete with the `backends` of this kernel, the preferred one first, and its `hooks`.
    ///
    /// # Errors
    /// The first rule that cannot be had as it was asked for; nothing is half applied.
    pub fn new(
        rules: &[Rule],
        options: Options,
        id: u32,
        backends: &[Box<dyn Backend + '_>],
        hooks: &dyn OperationHooks,
    ) -> Result<Self, PlanError> {
        if rules.is_empty() {
            return Err(PlanError::NoRules);
        }
        if rules.len() > MAX_RULES {
            return Err(PlanError::TooManyRules { given: rules.len() });
        }
        let mut resolved = calls::resolve(rules, options.insist, backends)?;
        let operations = operations::resolve(rules, resolved.slots.len(), hooks, &mut resolved.sites)?;
        let planned =
            rules.iter().zip(0u32..).zip(&resolved.calls_of_rule).map(|((rule, number), &calls)| {
                PlannedRule {
                    text: rule.text.clone(),
                    kernel: kernel_rule(rule, rule_seed(options.seed, number)),
                    calls,
                }
            });
        Ok(Self {
            id,
            rules: planned.collect(),
            options,
            sites: resolved.sites,
            calls: resolved.calls,
            slots: resolved.slots,
            operations,
            notes: resolved.notes,
        })
    }

    /// Does a rule mean packets that go out?
    pub fn needs_egress(&self) -> bool {
        self.rules.iter().any(|rule| rule.kernel.packets.directions & EGRESS != 0)
    }

    /// Does a rule mean packets that come in?
    pub fn needs_ingress(&self) -> bool {
        self.rules.iter().any(|rule| rule.kernel.packets.directions & INGRESS != 0)
    }

    /// Does a rule mean what threads do: system calls or operations?
    pub fn needs_threads(&self) -> bool {
        self.counters() > 0
    }

    /// Counters that each thread needs: one for each rule of each call, and of each operation.
    pub fn counters(&self) -> usize {
        self.slots.len() + self.operations.slots
    }
}

/// A rule as the kernel side reads it.
fn kernel_rule(rule: &Rule, seed: u64) -> KernelRule {
    match &rule.kind {
        RuleKind::Syscall(call) => KernelRule {
            fault: FAULT_RETURN,
            value: call.result.return_value(),
            ..triggered(&call.trigger, seed)
        },
        RuleKind::Operation(operation) => KernelRule {
            fault: FAULT_RETURN,
            value: -i64::from(operation.error.number()),
            ..triggered(&operation.trigger, seed)
        },
        RuleKind::Net(net) => KernelRule {
            fault: FAULT_DROP,
            packets: packets::matching(net),
            ..triggered(&net.trigger(), seed)
        },
    }
}

/// A rule with nothing but its triggers.
fn triggered(trigger: &Trigger, seed: u64) -> KernelRule {
    let when = KernelWhen {
        first: trigger.when.first,
        last: trigger.when.last.unwrap_or(KernelWhen::FOREVER),
        step: trigger.when.step,
        _pad: 0,
    };
    KernelRule {
        when,
        threshold: Threshold(trigger.probability.numerator()),
        times: trigger.times.unwrap_or(0),
        seed,
        ..KernelRule::zeroed()
    }
}
