//! A rule that is built without text prints as text that reads back as the same rule, and says what it was given.

use std::{net::IpAddr, time::Duration};

use proptest::{option, prelude::*, sample::select};

use crate::spec::{
    build::RuleBuilder,
    delay::Delay,
    effect::{CallResult, Moment},
    errno::Errno,
    filter::Relation,
    model::{Rule, RuleKind, Scope, Trigger, When},
    netem::{Distribution, Limit},
    packet::{Direction, NetFault, Reject},
    process::model::ProcessAction,
    signal::Signal,
    units::Probability,
    user_space::UserSpaceRule,
};

fn reads_back(rule: &Rule) {
    assert_eq!(&rule.to_string().parse::<Rule>().unwrap(), rule);
}

fn errno() -> impl Strategy<Value = Errno> {
    (1..=Errno::MAX).prop_map(|number| Errno::new(number).unwrap())
}

fn when() -> impl Strategy<Value = When> {
    (1_u32..65535).prop_flat_map(|n| select(vec![When::nth(n.min(65534)), When::starting(n), When::every(n)]))
}

/// Times that are whole numbers of the grammar's smallest unit, which all are.
fn time() -> impl Strategy<Value = Duration> {
    (1_u64..3_600_000_000_000).prop_map(Duration::from_nanos)
}

/// What the trigger of a rule is to be, where it is said.
type Triggered = (When, f64, Option<u64>);

fn triggered() -> impl Strategy<Value = Triggered> {
    (when(), 1e-9..=1.0, option::of(1_u64..))
}

fn trigger((when, probability, times): Triggered, scope: Scope) -> Trigger {
    Trigger { when, probability: Probability::of_fraction(probability).unwrap(), times, scope }
}

fn with_trigger<L>(builder: RuleBuilder<L>, (when, probability, times): Triggered) -> RuleBuilder<L> {
    let builder = builder.when(when).probability(probability);
    match times {
        Some(times) => builder.times(times),
        None => builder,
    }
}

proptest! {
    #[test]
    fn on_calls(
        set in select(vec!["fsync,fdatasync", "%file", "/^open", "read@64"]),
        errno in errno(),
        time in option::of(time()),
        asked in triggered(),
        scope in select(vec![Scope::Thread, Scope::Process, Scope::Rule]),
        moment in select(vec![Moment::Entry, Moment::Exit, Moment::Success, Moment::Failure]),
    ) {
        let mut builder = with_trigger(Rule::call(set).errno(errno), asked).scope(scope).at(moment).comm("redis*");
        if let Some(time) = time {
            builder = builder.delay(time);
        }
        let rule = builder.build().unwrap();
        reads_back(&rule);
        let RuleKind::Syscall(calls) = rule.kind else { panic!() };
        prop_assert_eq!(calls.effect.result, Some(CallResult::Errors(vec![(errno, 1)])));
        prop_assert_eq!(calls.effect.delay_enter, time.map(Delay::from));
        prop_assert_eq!((calls.set.as_str(), calls.moment), (set, moment));
        prop_assert_eq!(calls.trigger, trigger(asked, scope));
    }

    #[test]
    fn on_operations(errno in errno(), time in time(), jitter in time(), asked in triggered()) {
        let delay = Delay::For { time, jitter };
        let builder = Rule::operation("write,truncate").errno(errno).delay(delay).distribution(&Distribution::Normal);
        let rule = with_trigger(builder, asked).path("/srv/*.db").path("/var/**").build().unwrap();
        reads_back(&rule);
        let RuleKind::Operation(operations) = rule.kind else { panic!() };
        prop_assert_eq!((operations.error, operations.delay), (Some(errno), Some(delay)));
        prop_assert_eq!(operations.distribution, Distribution::Normal);
        prop_assert_eq!(operations.objects.paths.unwrap().patterns().count(), 2);
        prop_assert_eq!(operations.trigger, trigger(asked, Scope::Thread));
    }

    #[test]
    fn on_packets(
        direction in select(vec![Direction::Egress, Direction::Ingress, Direction::Both]),
        port in 1_u16..,
        time in time(),
        loss in 1e-9..=1.0,
        bits in 1_u64..1_000_000_000_000,
    ) {
        let builder = Rule::packets().direction(direction).tcp().port(port);
        let rule = builder.delay(time).loss(loss).rate(bits).limit(Limit::Packets(7)).build().unwrap();
        reads_back(&rule);
        let RuleKind::Net(packets) = rule.kind else { panic!() };
        prop_assert_eq!(packets.direction, direction);
        prop_assert_eq!(packets.ports.either.only.unwrap().0, [port..=port]);
        let NetFault::Netem(netem) = packets.fault else { panic!() };
        prop_assert_eq!(u128::from(netem.delay.unwrap().time), time.as_nanos());
        prop_assert_eq!(netem.loss.unwrap().to_string(), format!("loss {}", Probability::of_fraction(loss).unwrap()));
        prop_assert_eq!((netem.rate.unwrap().bits, netem.limit), (bits, Some(Limit::Packets(7))));
    }

    #[test]
    fn on_processes(round in 1_u64..604_800_000, asked in triggered()) {
        let every = Duration::from_millis(round + 10);
        let length = every / 2;
        let rule = with_trigger(Rule::pause().lasting(length).every(every), asked).build().unwrap();
        reads_back(&rule);
        let RuleKind::UserSpace(UserSpaceRule::Process(processes)) = rule.kind else { panic!() };
        prop_assert_eq!(processes.action, ProcessAction::Pause { length: Some(length) });
        prop_assert_eq!((processes.every, processes.trigger), (Some(every), trigger(asked, Scope::Thread)));
    }

    #[test]
    fn no_name_brings_another_word_along(name in ".*:signal=SIGKILL.*") {
        let _ = Rule::call(&name).errno(Errno::EIO).build().unwrap_err();
        let _ = Rule::call("read").errno(Errno::EIO).comm(&name).build().unwrap_err();
        let _ = Rule::packets().to_host(&name).partition().build().unwrap_err();
        let _ = Rule::call("read").errno(Errno::EIO).argument(&name, Relation::Equal, 1).build().unwrap_err();
    }
}

#[test]
fn every_word_is_the_grammars() {
    let rules = [
        (
            Rule::call("openat").errors([(Errno::ENOENT, 3), (Errno::EACCES, 1)]).build(),
            "inject=openat:error=ENOENT*3/EACCES",
        ),
        (
            Rule::call("write").returns(0).argument("count", Relation::Above, 4096).build(),
            "inject=write:retval=0:count>4096",
        ),
        (
            Rule::call("openat")
                .signal(Signal::USR1)
                .argument("flags", Relation::Masked, "O_ACCMODE=O_RDWR")
                .build(),
            "inject=openat:signal=SIGUSR1:flags&O_ACCMODE=O_RDWR",
        ),
        (
            Rule::call("connect")
                .delay_exit(Delay::Forever)
                .peer(IpAddr::from([10, 0, 0, 7]))
                .ports(5432..=5432)
                .build(),
            "inject=connect:delay_exit=forever:peer=10.0.0.7:port=5432",
        ),
        (
            Rule::packets()
                .udp()
                .to_host("db.example")
                .destination_ports(53..=53)
                .length(0..=512)
                .corrupt(1.0)
                .build(),
            "net=egress udp to db.example dport 53 length 0-512 : corrupt 100%",
        ),
        (
            Rule::packets()
                .varying_delay(Duration::from_millis(100), Duration::from_millis(20), &Distribution::Pareto)
                .build(),
            "net=egress : delay 100ms 20ms distribution pareto",
        ),
        (
            Rule::packets().tcp().to(IpAddr::from([10, 0, 0, 7])).reject(Reject::Reset).build(),
            "net=egress tcp to 10.0.0.7 : reject rst",
        ),
        (Rule::packets().connect(Errno::ETIMEDOUT).build(), "net=egress : connect=ETIMEDOUT"),
        (
            Rule::kill(Signal::TERM).after(Duration::from_secs(5)).comm("worker*").build(),
            "process=kill SIGTERM:after=5s:comm=worker*",
        ),
    ];
    for (rule, text) in rules {
        let rule = rule.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(rule.to_string(), text);
        reads_back(&rule);
    }
}

#[test]
fn what_is_wrong_is_told_as_of_a_text() {
    let told = |rule: Result<Rule, crate::spec::SpecError>| {
        let error = rule.unwrap_err();
        (error.to_string(), error.text()[error.span()].to_owned())
    };
    let base = || Rule::call("read").errno(Errno::EIO);
    for (rule, message, part) in [
        (base().probability(1.5).build(), "is not a probability", "150%"),
        (base().probability(0.0).build(), "the rule can never fire", "0%"),
        (base().probability(f64::NAN).build(), "is not a probability", "NaN%"),
        (base().errno(Errno::EPERM).build(), "is given twice", "error=EPERM"),
        (base().comm("a:times=1").build(), "separates the words", "comm=a:times=1"),
        (Rule::call("read").build(), "does not say what is to happen", "read"),
        (Rule::packets().loss(2.0).build(), "", "200%"),
    ] {
        let (said, marked) = told(rule);
        assert!(said.contains(message), "{said}");
        assert_eq!(marked, part, "{said}");
    }
}
