//! Rules on processes: what they mean, and that printing and reading are each other's inverse.

use std::time::Duration;

use proptest::{option, prelude::*};

use crate::spec::{
    process::model::{ProcessAction, ProcessRule},
    signal::Signal,
    tests::{processes, read},
    trigger::{Scope, Trigger, When},
    units::Probability,
};

#[test]
fn every_word_by_itself() {
    for (text, printed) in [
        ("pause", "pause"),
        (" pause ", "pause"),
        ("pause:", "pause"),
        ("pause:for=2s", "pause:for=2s"),
        ("pause:every=10s:for=2000ms", "pause:for=2s:every=10s"),
        ("pause:after=1.5s", "pause:after=1500ms"),
        ("pause:for=300ms:every=1s:when=2..9+3", "pause:for=300ms:every=1s:when=2..9+3"),
        ("pause:prob=0.25:times=3", "pause:prob=25%:times=3"),
        ("kill SIGTERM", "kill SIGTERM"),
        ("kill  term", "kill SIGTERM"),
        ("kill 9", "kill SIGKILL"),
        ("kill SIGCONT", "kill SIGCONT"),
        ("kill rtmin+3", "kill SIGRT_3"),
        ("kill USR1:comm=redis*:every=10ms", "kill SIGUSR1:every=10ms:comm=redis*"),
        ("kill KILL:prob=10%:every=30s:after=5s", "kill SIGKILL:after=5s:every=30s:prob=10%"),
    ] {
        let rule = processes(text);
        assert_eq!(rule.to_string(), printed, "{text}");
        assert_eq!(processes(printed), rule, "{text}");
        assert_eq!(read("-e", &format!("process={text}")).unwrap().to_string(), format!("process={printed}"));
    }
}

#[test]
fn what_is_not_said_has_a_default() {
    let pause = processes("pause");
    assert_eq!(pause.action, ProcessAction::Pause { length: None });
    assert_eq!((pause.after, pause.every, pause.trigger), (Duration::ZERO, None, Trigger::ALWAYS));
    let kill = processes("kill SIGKILL:times=1");
    assert_eq!((kill.action, kill.trigger.times), (ProcessAction::Kill(Signal::KILL), Some(1)));
}

fn rule() -> impl Strategy<Value = ProcessRule> {
    let time = 1_u64..1_000_000_000_000;
    let every = option::of(10_000_000_u64..1_000_000_000_000);
    let signal = (1_u8..=Signal::MAX)
        .prop_filter_map("stops", |number| Signal::new(number).filter(|signal| !signal.stops()));
    let action = prop_oneof![
        option::of(time.clone())
            .prop_map(|length| ProcessAction::Pause { length: length.map(Duration::from_nanos) }),
        signal.prop_map(ProcessAction::Kill),
    ];
    let comm = option::of("[a-z]{1,14}[*]?");
    let when = (1_u32..=65_535, 1_u32..=65_535).prop_map(|(first, step)| When { first, last: None, step });
    let trigger = (when, 1_u64..=1 << 32, option::of(1_u64..));
    (action, option::of(time), every, comm, trigger).prop_map(
        |(action, after, every, comm, (when, prob, times))| {
            let (mut action, every) = (action, every.map(Duration::from_nanos));
            if let (ProcessAction::Pause { length }, Some(every)) = (&mut action, every) {
                *length = Some(length.unwrap_or(every).min(every.saturating_sub(Duration::from_nanos(1))));
            }
            let named = |name: String| processes(&format!("kill HUP:comm={name}")).comm;
            ProcessRule {
                action,
                after: after.map(Duration::from_nanos).unwrap_or_default(),
                every,
                comm: comm.filter(|_| matches!(action, ProcessAction::Kill(_))).and_then(named),
                trigger: Trigger {
                    when: if every.is_some() { when } else { When::ALWAYS },
                    probability: Probability::new(prob).unwrap(),
                    times,
                    scope: Scope::Thread,
                },
            }
        },
    )
}

proptest! {
    #[test]
    fn rules_on_processes_read_back(rule in rule()) {
        prop_assert_eq!(processes(&rule.to_string()), rule);
    }
}
