//! What a rule on system calls means.

use crate::spec::{
    effect::{CallResult, Moment},
    filter::Filter,
    meaning::{about, all, by, either, trigger, waits, with_errors},
    model::{Scope, SyscallRule},
};

pub(super) fn meaning(rule: &SyscallRule) -> String {
    let outcome = match rule.moment {
        Moment::Entry | Moment::Exit => "",
        Moment::Success => " that came to no error",
        Moment::Failure => " that came to an error",
    };
    let counted = |scope| match scope {
        Scope::Thread => "of each thread and call",
        Scope::Process => "of each process and call",
        Scope::Rule => "of all",
    };
    format!(
        "{}{}{outcome} {}{}",
        calls(&rule.set),
        filtered(&rule.filter),
        all(&effects(rule)),
        trigger::clause(&rule.trigger, counted)
    )
}

/// The set in words.
fn calls(set: &str) -> String {
    let names = set.trim_start_matches('!');
    let inverted = (set.len() - names.len()) % 2 == 1;
    let names: Vec<_> = names.split(',').map(|name| name.trim_start_matches('?')).collect();
    match (inverted, &names[..]) {
        (false, ["all"]) => "any call".into(),
        (false, _) => format!("a call of {}", either(&names)),
        (true, _) => format!("any call but {}", all(&names)),
    }
}

fn filtered(filter: &Filter) -> String {
    let tests: Vec<_> = filter.tests.iter().map(ToString::to_string).collect();
    let tests = if tests.is_empty() { String::new() } else { format!(" with {}", all(&tests)) };
    format!("{tests}{}{}", about(&filter.objects), by(filter.comm.as_ref()))
}

/// What happens to such a call, in the order of time.
fn effects(rule: &SyscallRule) -> Vec<String> {
    let effect = &rule.effect;
    let result = effect.result.as_ref().map(|result| match (result, rule.moment) {
        (CallResult::Errors(errors), Moment::Entry) => {
            format!("fails with {} without running", with_errors(errors))
        }
        (CallResult::Value(value), Moment::Entry) => format!("returns {value} without running"),
        (CallResult::Errors(errors), _) => format!("runs and gives {} to its caller", with_errors(errors)),
        (CallResult::Value(value), _) => format!("runs and gives {value} to its caller"),
    });
    let before = effect.delay_enter.map(|delay| waits(delay, &effect.distribution));
    let behind =
        effect.delay_exit.map(|delay| format!("{} when it has run", waits(delay, &effect.distribution)));
    let signal = effect.signal.map(|signal| format!("sends {signal} to its thread"));
    [before, result, signal, behind].into_iter().flatten().collect()
}
