//! Two runs side by side: what came out differently. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::experiment::report::{FaultReport, Report};

/// What is told apart in a line of faults.jsonl: which rule, who, and the number of its decision.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Injection {
    rule_text: String,
    #[serde(default)]
    place: Option<serde_json::Value>,
    #[serde(default)]
    flow: Option<serde_json::Value>,
    decision: u64,
}

/// What differs between a run and a later one, in sentences; nothing if they came out alike.
pub fn differences(before: &Report, after: &Report) -> Vec<String> {
    let mut told = Vec::new();
    if before.sentence != after.sentence {
        told.push(format!("verdict: it was {}, and is {}", before.sentence, after.sentence));
    }
    let paths = |report: &Report| report.steps.iter().map(|step| step.path.clone()).collect::<Vec<_>>();
    if paths(before) != paths(after) {
        told.push(format!(
            "steps: they were {}, and are {}",
            paths(before).join(", "),
            paths(after).join(", ")
        ));
    }
    for (name, value) in &after.captured {
        match before.captured.get(name) {
            Some(was) if was == value => (),
            Some(was) => told.push(format!("{name}: it was {was}, and is {value}")),
            None => told.push(format!("{name}: it had no value, and is {value}")),
        }
    }
    let faults: BTreeMap<_, _> = before.faults.iter().map(|fault| (fault.path.as_str(), fault)).collect();
    for fault in &after.faults {
        match faults.get(fault.path.as_str()) {
            Some(was) => told.extend(counters(was, fault)),
            None => told.push(format!("{}: it did not act before", fault.path)),
        }
    }
    told
}

fn counters(before: &FaultReport, after: &FaultReport) -> Vec<String> {
    let rules = before.rules.iter().zip(&after.rules);
    let different = rules.filter(|(was, is)| (was.matched, was.fired) != (is.matched, is.fired));
    different
        .map(|(was, is)| {
            format!(
                "{}: `{}` fired {} of {} times before, and {} of {} now",
                after.path, is.rule, was.fired, was.matched, is.fired, is.matched
            )
        })
        .collect()
}

/// The first injection of the logs of two runs that one has and the other has not, if there is one: which rule, who, and
/// the number of the decision. Lines that are none are left out.
pub fn first_different_injection(before: &str, after: &str) -> Option<String> {
    let read = |log: &str| -> Vec<Injection> {
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let (before, after) = (read(before), read(after));
    // Threads and flows interleave as they like: each injection is looked for in the whole of the other log.
    let only = |these: &[Injection], those: &[Injection], which: &str| {
        let one = these.iter().find(|one| !those.contains(one))?;
        let who = one.flow.as_ref().or(one.place.as_ref()).map_or(String::new(), |who| format!(" of {who}"));
        Some(format!("only in {which}: decision {}{who} by `{}`", one.decision, one.rule_text))
    };
    only(&before, &after, "the run before").or_else(|| only(&after, &before, "this run"))
}

#[cfg(test)]
mod tests {
    use super::first_different_injection;

    #[test]
    fn order_and_time_do_not_count_and_decisions_do() {
        let line = |time: u32, flow: u32, decision: u32| {
            format!(r#"{{"time_ns":{time},"rule_text":"udp : loss 5%","flow":{flow},"decision":{decision}}}"#)
        };
        let before = [line(1, 7, 3), line(2, 8, 4)].join("\n");
        let after = [line(5, 8, 4), line(9, 7, 3)].join("\n");
        assert_eq!(first_different_injection(&before, &after), None);
        let more = format!("{after}\n{}", line(9, 7, 11));
        let told = "only in this run: decision 11 of 7 by `udp : loss 5%`";
        assert_eq!(first_different_injection(&before, &more).as_deref(), Some(told));
        let told = "only in the run before: decision 11 of 7 by `udp : loss 5%`";
        assert_eq!(first_different_injection(&more, &before).as_deref(), Some(told));
    }
}
