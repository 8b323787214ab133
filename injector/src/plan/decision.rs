//! What a rule decides, as the kernel side reads it: its result, its moment, and which matches fire.

use bytemuck::Zeroable;
use injector_common::{
    code::{FaultCode, MomentCode, ScopeCode},
    random::rule_seed,
    rule::{Choice, MAX_CHOICES, Rule as KernelRule},
    trigger::{Threshold, When as KernelWhen},
};

use crate::{
    plan::{Distributions, Options, delays, packets},
    spec::{
        comm::Comm,
        effect::{CallResult, Moment},
        model::{Rule, RuleKind, Scope, SyscallRule, Trigger},
        operation::OperationRule,
        user_space::UserSpaceRule,
    },
};

/// A rule as the kernel side reads it, under its number.
pub(super) fn kernel_rule(
    rule: &Rule,
    number: u32,
    options: &Options,
    distributions: &Distributions,
) -> KernelRule {
    let seed = rule_seed(options.seed, number);
    match &rule.kind {
        RuleKind::Syscall(call) => on_calls(call, number, seed, distributions),
        RuleKind::Operation(operation) => on_operations(operation, number, seed, distributions),
        // Never met in the kernel: who carries it out asks the same triggers.
        RuleKind::UserSpace(UserSpaceRule::Process(process)) => triggered(&process.trigger, seed),
        RuleKind::Net(net) => {
            let mut rule = triggered(&Trigger::ALWAYS, seed);
            packets::describe(net, &mut rule, distributions, options.max_packet_delay);
            rule
        }
    }
}

fn on_calls(call: &SyscallRule, number: u32, seed: u64, distributions: &Distributions) -> KernelRule {
    let mut rule = triggered(&call.trigger, seed);
    match &call.effect.result {
        None => rule.fault = FaultCode::NONE,
        Some(CallResult::Value(value)) => (rule.fault, rule.value) = (FaultCode::RETURN, *value),
        Some(CallResult::Errors(errors)) => {
            rule.choices = [Choice { below: Choice::UNUSED, value: 0 }; MAX_CHOICES];
            let total: u64 = errors.iter().map(|(_, weight)| u64::from(*weight)).sum();
            let mut sum = 0;
            for (choice, (errno, weight)) in rule.choices.iter_mut().zip(errors) {
                sum += u64::from(*weight);
                *choice = Choice { below: (sum << 32) / total, value: -i64::from(errno.number()) };
            }
            rule.fault = if errors.len() == 1 { FaultCode::RETURN } else { FaultCode::CHOICE };
            rule.value = rule.choices[0].value;
        }
    }
    rule.signal = call.effect.signal.map_or(0, |signal| u32::from(signal.number()));
    rule.moment = match call.moment {
        Moment::Entry => MomentCode::ENTRY,
        Moment::Exit => MomentCode::EXIT,
        Moment::Success => MomentCode::SUCCESS,
        Moment::Failure => MomentCode::FAILURE,
    };
    let table = distributions.number(&call.effect.distribution);
    rule.delay_enter = delays::of(call.effect.delay_enter, table, number);
    rule.delay_exit = delays::of(call.effect.delay_exit, table, number);
    (rule.comm_mask, rule.comm) = call.filter.comm.as_ref().map(Comm::bytes).unwrap_or_default();
    rule
}

fn on_operations(
    operation: &OperationRule,
    number: u32,
    seed: u64,
    distributions: &Distributions,
) -> KernelRule {
    let (comm_mask, comm) = operation.comm.as_ref().map(Comm::bytes).unwrap_or_default();
    KernelRule {
        fault: if operation.error.is_some() { FaultCode::RETURN } else { FaultCode::NONE },
        value: operation.error.map_or(0, |error| -i64::from(error.number())),
        delay_enter: delays::of(operation.delay, distributions.number(&operation.distribution), number),
        comm_mask,
        comm,
        ..triggered(&operation.trigger, seed)
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
        scope: match trigger.scope {
            Scope::Thread => ScopeCode::THREAD,
            Scope::Process => ScopeCode::PROCESS,
            Scope::Rule => ScopeCode::RULE,
        },
        seed,
        ..KernelRule::zeroed()
    }
}
