//! Rules on system calls, in strace's grammar (src/filter_qualify.c, strace 7.2) with words of our own:
//! `SET[:error=E|:retval=V][:signal=S][:delay_enter=T][:delay_exit=T][:when=first[..last][+[step]]]`, and
//! `T~JITTER[:distribution=D]`, `[:at=exit|:on=success|:on=failure][:PREDICATE][:comm=NAME][:path=GLOB][:peer=NET][:port=LIST][:prob=P]`
//! `[:times=N][:scope=S]`. A `:` behind a `\` or between `[` and `]` separates nothing.

use std::collections::BTreeSet;

use crate::{
    spec::{
        actions::{self, Parsed, Verb},
        callset::{self, CallSet},
        error::{Located, SpecError},
        filter::Test,
        model::{Rule, RuleKind, SyscallRule},
        nearest::{Near, nearest},
        net,
        object::{Lookup, Objects},
        operation,
        problem::{CallSetProblem, FilterProblem, QualifierProblem},
        process,
        qualifier::{self, QUALIFIERS, unqualified},
        word::Word,
    },
    syscalls::{self, Call, Machine},
};

/// strace's other qualifiers behind `-e`, which choose what it prints.
const STRACE_OUTPUT: &str = "trace t trace-fd trace-fds fd fds abbrev a verbose v raw x signal signals s \
                             status quiet silent silence q read reads r write writes w kvm decode-fd \
                             decode-fds decode-pid decode-pids secontext namespace";

/// Reads what follows `-e`: `inject=SET:…` or `fault=SET[:…]`, for the calls of `machine`; and, since one text is to
/// hold any rule, `net=MATCH : NETEM`, `io=OP:…` and `process=ACTION`.
///
/// # Errors
/// The text is no rule: what is wrong with it, where, and what to write instead.
pub fn expression(text: &str, machine: Machine) -> Result<Rule, SpecError> {
    let kind =
        expressed(Word::whole(text), machine).map_err(|located| SpecError::new("rule", text, located))?;
    Ok(Rule { text: text.to_owned(), kind })
}

fn expressed(whole: Word<'_>, machine: Machine) -> Result<RuleKind, Located> {
    let (qualifier, rest) = match whole.split_once("=") {
        // What stands before the first `=` may be the start of a rule, as in `-e read:error=EIO`.
        Some((qualifier, rest)) if !qualifier.text.is_empty() && !qualifier.text.contains(':') => {
            (qualifier, rest)
        }
        _ => {
            let instead = qualifier::kind(whole, machine).map(|kind| format!("{kind}={}", whole.text));
            return Err(whole.problem(QualifierProblem::NoQualifier { instead }));
        }
    };
    match qualifier.text {
        "inject" => rule(rest, machine, Verb::Inject).map(RuleKind::Syscall),
        "fault" => rule(rest, machine, Verb::Fault).map(RuleKind::Syscall),
        "net" => net::rule(rest).map(RuleKind::Net),
        "io" => operation::rule(rest).map(RuleKind::Operation),
        "process" => process::rule(rest),
        word if STRACE_OUTPUT.split(' ').any(|known| known == word) => {
            Err(qualifier.problem(QualifierProblem::StraceOutput(word.into())))
        }
        word => {
            let near = qualifier::part_of_a_rule(whole.text, word);
            let near = near.or_else(|| nearest(word, QUALIFIERS).map(Near::from));
            Err(qualifier.problem(QualifierProblem::UnknownQualifier { word: word.into(), near }))
        }
    }
}

/// Reads `SET:ACTIONS`, what follows `--syscall` and `inject=`, for the calls of `machine`.
///
/// # Errors
/// [`SpecError`] with the mistake, its place in the text and a hint.
pub fn syscall(text: &str, machine: Machine) -> Result<Rule, SpecError> {
    let rule = unqualified(text).and_then(|text| rule(text, machine, Verb::Inject));
    let kind = RuleKind::Syscall(rule.map_err(|located| SpecError::new("rule", text, located))?);
    Ok(Rule { text: text.to_owned(), kind })
}

fn rule(text: Word<'_>, machine: Machine, verb: Verb) -> Result<SyscallRule, Located> {
    // As in strace, the set ends at the first `:`, whatever it holds.
    let (set, words) = match text.split_once(":") {
        Some((set, words)) => (set, Some(words)),
        None => (text, None),
    };
    if set.text.is_empty() {
        return Err(set.problem(CallSetProblem::NoSet));
    }
    let Parsed { filter, asked, chosen_by, effect, moment, trigger } = actions::parse(set, words, verb)?;
    let CallSet { calls, named, numbers } = callset::parse(set, machine)?;
    for (test, word) in filter.tests.iter().zip(asked) {
        asks_something(test, set, &calls, &named).map_err(|problem| word.problem(problem))?;
    }
    if let Some(word) = chosen_by {
        is_about_something(&filter.objects, word, set, &calls, &named)
            .map_err(|problem| word.problem(problem))?;
    }
    Ok(SyscallRule { set: set.text.into(), calls, named, numbers, filter, effect, moment, trigger })
}

/// Has each call that is named, under some ABI, the argument that a predicate asks about? Has any of a
/// whole set?
fn asks_something(
    test: &Test,
    set: Word<'_>,
    calls: &BTreeSet<Call>,
    named: &BTreeSet<Call>,
) -> Result<(), FilterProblem> {
    let entries = |calls: &BTreeSet<Call>| calls.iter().filter_map(|call| syscalls::get(*call)).collect();
    let (all, by_name): (Vec<_>, Vec<_>) = (entries(calls), entries(named));
    for entry in &by_name {
        let mut same = by_name.iter().filter(|other| other.name == entry.name);
        if same.all(|other| test.of(other).is_none()) {
            let arguments: Vec<_> = entry.parameters.iter().map(|parameter| parameter.name).collect();
            let (call, test) = (entry.name.to_owned(), test.to_string());
            return Err(FilterProblem::NoSuchArgument { call, test, arguments: arguments.join(", ") });
        }
    }
    if all.iter().all(|entry| test.of(entry).is_none()) {
        return Err(FilterProblem::NobodyHasArgument { set: set.text.into(), test: test.to_string() });
    }
    Ok(())
}

/// Is each call that is named, under some ABI, about a file or a socket? Is any of a whole set?
fn is_about_something(
    objects: &Objects,
    word: Word<'_>,
    set: Word<'_>,
    calls: &BTreeSet<Call>,
    named: &BTreeSet<Call>,
) -> Result<(), FilterProblem> {
    let about = |call: &Call| syscalls::get(*call).is_some_and(|entry| objects.lookup(entry) != Lookup::None);
    let word = format!("{}=", word.text);
    for call in named {
        let Some(entry) = syscalls::get(*call) else { continue };
        let mut same =
            named.iter().filter(|other| syscalls::get(**other).is_some_and(|o| o.name == entry.name));
        if !same.any(about) {
            return Err(FilterProblem::AboutNothing { word, call: entry.name.into() });
        }
    }
    if !calls.iter().any(about) {
        return Err(FilterProblem::AboutNothing { word, call: set.text.into() });
    }
    Ok(())
}
