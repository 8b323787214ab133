//! What a rule on processes means.

use std::time::Duration;

use crate::spec::{
    meaning::trigger,
    process::model::{ProcessAction, ProcessRule},
    quantity::show_time,
};

pub(super) fn meaning(rule: &ProcessRule) -> String {
    let what = match &rule.action {
        ProcessAction::Pause { length: Some(length) } => {
            format!("all processes of a target stand still for {}", time(*length))
        }
        ProcessAction::Pause { length: None } => {
            "all processes of a target stand still until the rule ends".into()
        }
        ProcessAction::Kill(signal) => {
            let named = rule.comm.as_ref().map(|comm| format!(" named {comm}")).unwrap_or_default();
            format!("each process of the target{named} gets {signal}")
        }
    };
    let begins = if rule.after.is_zero() { "at once".into() } else { format!("after {}", time(rule.after)) };
    let repeats = rule.every.map(|every| format!(" and every {} from then on", time(every)));
    format!("{what} {begins}{}{}", repeats.unwrap_or_default(), trigger::clause(&rule.trigger, |_| "round"))
}

fn time(time: Duration) -> String {
    show_time(crate::clock::nanoseconds(time))
}
