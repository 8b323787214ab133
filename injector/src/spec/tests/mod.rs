//! The grammars as a user meets them: what is accepted and what it means, what is refused and in which
//! words, and that printing and reading are each other's inverse.

mod accepted;
mod build;
mod impairment;
mod processes;
mod refused;
mod round_trip;

use crate::{
    spec::{
        SpecError, expression,
        model::{Rule, RuleKind, SyscallRule},
        net,
        operation::{OperationRule, operation},
        packet::NetRule,
        process,
        process::model::ProcessRule,
        syscall,
        user_space::UserSpaceRule,
    },
    syscalls::Machine,
};

/// Reads `text` by one of the grammars, for x86-64 whatever the tests run on.
fn read(grammar: &str, text: &str) -> Result<Rule, SpecError> {
    match grammar {
        "-e" => expression(text, Machine::X86_64),
        "syscall" => syscall(text, Machine::X86_64),
        "net" => net(text),
        "io" => operation(text),
        "process" => process(text),
        other => panic!("no grammar {other}"),
    }
}

/// A rule on system calls that has to be accepted.
fn calls(text: &str) -> SyscallRule {
    match read("syscall", text).map(|rule| rule.kind) {
        Ok(RuleKind::Syscall(rule)) => rule,
        other => panic!("{text}: {other:?}"),
    }
}

/// A rule on operations that has to be accepted.
fn operations(text: &str) -> OperationRule {
    match read("io", text).map(|rule| rule.kind) {
        Ok(RuleKind::Operation(rule)) => rule,
        other => panic!("{text}: {other:?}"),
    }
}

/// A rule on packets that has to be accepted.
fn packets(text: &str) -> NetRule {
    match read("net", text).map(|rule| rule.kind) {
        Ok(RuleKind::Net(rule)) => rule,
        other => panic!("{text}: {other:?}"),
    }
}

/// A rule on processes that has to be accepted.
fn processes(text: &str) -> ProcessRule {
    match read("process", text).map(|rule| rule.kind) {
        Ok(RuleKind::UserSpace(UserSpaceRule::Process(rule))) => rule,
        other => panic!("{text}: {other:?}"),
    }
}
