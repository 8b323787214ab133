//! Printing a rule and reading it again gives the same rule, and no text makes a parser panic.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
    time::Duration,
};

use ipnet::IpNet;
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::spec::{
    address::{Address, Addresses, Host},
    delay::Delay,
    dns::{Answer, Dns},
    effect::{CallResult, Effect, Moment},
    errno::Errno,
    header::{Flags, Lengths},
    model::{Scope, SyscallRule, Trigger, When},
    netem::Distribution,
    object::Objects,
    operation::OperationRule,
    packet::{Chosen, Direction, NetFault, NetRule, PortList, Ports, Protocol, Reject, Unreachable},
    signal::Signal,
    tests::{calls, impairment, operations, packets, read},
    units::{Probability, duration},
};

const SETS: &[&str] = &[
    "read",
    "read@32",
    "read,write@64,3",
    "%file",
    "!%file",
    "/^open",
    "?teapot,fsync",
    "all",
    "!none",
    "!?read@x32",
];

fn probability() -> impl Strategy<Value = Probability> {
    prop_oneof![1..=1_u64 << 32, Just(1), Just((1 << 32) - 1), Just(1 << 32)]
        .prop_map(|n| Probability::new(n).unwrap())
}

fn when() -> impl Strategy<Value = When> {
    let last = option::of(0_u32..=65534);
    (1_u32..=65535, last, 1_u32..=65535).prop_map(|(first, last, step)| match last {
        Some(last) if last > first => When { first, last: Some(last), step },
        Some(_) => When { first, last: Some(first), step: 1 },
        None => When { first, last: None, step },
    })
}

fn trigger() -> impl Strategy<Value = Trigger> {
    let scope = select(vec![Scope::Thread, Scope::Process, Scope::Rule]);
    (when(), probability(), option::of(1_u64..), scope)
        .prop_map(|(when, probability, times, scope)| Trigger { when, probability, times, scope })
}

fn result() -> impl Strategy<Value = CallResult> {
    let errors = vec((1_u16..=Errno::MAX, 1_u32..=10_000), 1..=8).prop_map(|mut errors| {
        errors.sort_unstable();
        errors.dedup_by_key(|(number, _)| *number);
        let known = errors.into_iter().map(|(number, weight)| (Errno::new(number).unwrap(), weight));
        CallResult::Errors(known.collect())
    });
    prop_oneof![errors, any::<i64>().prop_map(CallResult::Value)]
}

fn moment() -> impl Strategy<Value = Moment> {
    select(vec![Moment::Entry, Moment::Exit, Moment::Success, Moment::Failure])
}

fn delay() -> impl Strategy<Value = Option<Delay>> {
    let jitter = prop_oneof![Just(0), 0..u64::MAX / 2];
    let time = (0..u64::MAX / 2, jitter).prop_map(|(time, jitter)| Delay::For {
        time: Duration::from_nanos(time),
        jitter: Duration::from_nanos(jitter),
    });
    option::of(prop_oneof![time, Just(Delay::Forever)])
}

/// How the jitter of some of `delays` spreads, if there is any.
fn spread(asked: Distribution, delays: [Option<Delay>; 2]) -> Distribution {
    let varies = |delay| matches!(delay, Delay::For { jitter, .. } if jitter > Duration::ZERO);
    if delays.into_iter().flatten().any(varies) { asked } else { Distribution::Uniform }
}

fn distribution() -> impl Strategy<Value = Distribution> {
    let named = select(vec![
        Distribution::Uniform,
        Distribution::Normal,
        Distribution::Pareto,
        Distribution::ParetoNormal,
    ]);
    prop_oneof![named, "\\PC{0,9}/\\PC{0,9}".prop_map(|path| Distribution::File(path.into()))]
}

/// What an operation meets.
fn error_or_delay() -> impl Strategy<Value = (Option<Errno>, Option<Delay>, Distribution)> {
    let error = option::of((1_u16..=Errno::MAX).prop_map(|number| Errno::new(number).unwrap()));
    let met = (error, delay(), distribution())
        .prop_map(|(error, delay, asked)| (error, delay, spread(asked, [delay, None])));
    met.prop_filter("something happens", |(error, delay, _)| error.is_some() || delay.is_some())
}

fn effect() -> impl Strategy<Value = Effect> {
    let signal = option::of((1_u8..=Signal::MAX).prop_map(|number| Signal::new(number).unwrap()));
    (option::of(result()), signal, delay(), delay(), distribution()).prop_filter_map(
        "something happens",
        |(result, signal, delay_enter, delay_exit, asked)| {
            let distribution = spread(asked, [delay_enter, delay_exit]);
            let effect = Effect { result, signal, delay_enter, delay_exit, distribution };
            (effect != Effect::default()).then_some(effect)
        },
    )
}

/// Predicates on `openat`, as text.
fn tests() -> impl Strategy<Value = Vec<String>> {
    let subject = select(vec!["arg0", "arg3", "flags", "fd", "mode"]);
    let relation = select(vec!["=", "!=", "<", "<=", ">", ">=", "&"]);
    let operand =
        select(vec!["1", "0x10", "-1", "O_CREAT", "O_CREAT|O_EXCL", "AT_FDCWD", "O_ACCMODE=O_RDWR"]);
    let test =
        (subject, relation, operand).prop_filter_map("a mask needs an &", |(subject, relation, operand)| {
            (relation == "&" || !operand.contains('=')).then(|| format!("{subject}{relation}{operand}"))
        });
    vec(test, 0..=4)
}

fn network(ipv4: bool) -> impl Strategy<Value = IpNet> + Clone {
    (any::<u128>(), 0_u8..=128).prop_map(move |(bits, length)| {
        let (address, length) = if ipv4 {
            (IpAddr::from(Ipv4Addr::from((bits >> 96) as u32)), length % 33)
        } else {
            (IpAddr::from(Ipv6Addr::from(bits)), length)
        };
        IpNet::new(address, length).unwrap().trunc()
    })
}

fn ranges() -> impl Strategy<Value = Vec<RangeInclusive<u16>>> {
    vec((1_u16.., 1_u16..).prop_map(|(a, b)| a.min(b)..=a.max(b)), 0..=5)
}

/// What a word asks for; that behind `not` must not take all of it away.
fn chosen<T: Clone + std::fmt::Debug>(
    one: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = Chosen<T>> {
    (option::of(one.clone()), option::of(one)).prop_map(|(only, not)| Chosen { only, not })
}

/// Networks, the first of a family of one's choice, so that some packet can have them.
fn networks(ipv4: bool) -> impl Strategy<Value = Addresses> + Clone {
    let names = select(vec!["localhost", "db.example", "x-1.y_z.", "3com", "tcp."]);
    let host = |name: &str| Address::Host(Host { name: name.into(), addresses: BTreeSet::new() });
    let one = prop_oneof![
        3 => any::<bool>().prop_flat_map(network).prop_map(Address::Network),
        1 => names.prop_map(host)
    ];
    let first = network(ipv4).prop_map(Address::Network);
    (first, vec(one, 0..4)).prop_map(|(first, more)| Addresses([vec![first], more].concat()))
}

fn some_ports() -> impl Strategy<Value = Chosen<PortList>> {
    chosen(vec((1_u16.., 1_u16..).prop_map(|(a, b)| a.min(b)..=a.max(b)), 1..=5).prop_map(PortList))
}

/// Length and flags.
fn headers() -> impl Strategy<Value = (Chosen<Lengths>, Chosen<Flags>)> {
    let lengths = (0_u32..=65_575, 20_u32..=65_575)
        .prop_map(|(a, b)| Lengths { first: a.min(b), last: a.max(b).max(20) });
    let flags =
        (1_u8.., option::of(any::<u8>())).prop_map(|(set, of)| Flags { set, of: of.map(|of| of | set) });
    (chosen(lengths), chosen(flags))
}

fn protocol() -> impl Strategy<Value = Protocol> {
    let words = select(vec![Protocol::Any, Protocol::Tcp, Protocol::Udp, Protocol::Icmp]);
    prop_oneof![3 => words, 1 => (1_u32..8).prop_map(Protocol::Except)]
}

/// What stands alone.
fn alone() -> impl Strategy<Value = NetFault> {
    let how = select(vec![
        Reject::ByProtocol,
        Reject::Reset,
        Reject::Unreachable(Unreachable::Port),
        Reject::Unreachable(Unreachable::Host),
        Reject::Unreachable(Unreachable::Net),
        Reject::Unreachable(Unreachable::Admin),
    ]);
    let answer = select(Answer::ALL.to_vec());
    let names = vec("[a-z0-9_-]{1,9}[*]?[a-z]{0,3}([.](xn--[a-z]{1,9}|x)){0,3}", 0..4);
    prop_oneof![
        (1_u16..=511).prop_map(|error| NetFault::Connect(Errno::new(error).unwrap())),
        how.prop_map(NetFault::Reject),
        (answer, names).prop_map(|(answer, names)| NetFault::Dns(Dns { answer, names }))
    ]
}

/// The rule without what its fault does not go with.
fn meant(mut rule: NetRule) -> NetRule {
    let resets = matches!(rule.fault, NetFault::Reject(Reject::Reset));
    if matches!(rule.fault, NetFault::Connect(_)) {
        (rule.from, rule.ports.source, rule.length, rule.flags) = Default::default();
        if matches!(rule.protocol, Protocol::Icmp | Protocol::Except(_)) {
            rule.protocol = Protocol::Tcp;
        }
        if rule.protocol == Protocol::TcpOrUdp && rule.ports.is_empty() {
            rule.protocol = Protocol::Any;
        }
    } else if resets && matches!(rule.protocol, Protocol::Udp | Protocol::Icmp | Protocol::Except(_)) {
        rule.protocol = Protocol::Tcp;
    }
    if matches!(rule.fault, NetFault::Dns(_)) {
        rule.flags = Chosen::default();
        if matches!(rule.protocol, Protocol::Tcp | Protocol::Icmp | Protocol::Except(_)) {
            rule.protocol = Protocol::Udp;
        }
    }
    if matches!(rule.fault, NetFault::Connect(_) | NetFault::Reject(_) | NetFault::Dns(_)) {
        rule.direction = Direction::Egress;
    }
    rule
}

fn rule_on_packets() -> impl Strategy<Value = NetRule> {
    let direction = select(vec![Direction::Egress, Direction::Ingress, Direction::Both]);
    let addresses = any::<bool>().prop_flat_map(|ipv4| (chosen(networks(ipv4)), chosen(networks(ipv4))));
    let ports = (some_ports(), some_ports(), some_ports());
    let fault = prop_oneof![
        Just(NetFault::Partition),
        impairment::netem().prop_map(|netem| NetFault::Netem(netem.into())),
        alone(),
    ];
    (direction, protocol(), addresses, ports, headers(), fault).prop_filter_map(
        "something is left",
        |(direction, mut protocol, (from, to), ports, (length, mut flags), fault)| {
            let (source, destination, either) = ports;
            let mut ports = Ports { source, destination, either };
            match protocol {
                Protocol::Icmp => (ports, flags) = Default::default(),
                Protocol::Udp => flags = Chosen::default(),
                Protocol::Except(_) => {
                    for list in [&mut ports.source, &mut ports.destination, &mut ports.either] {
                        list.only = None;
                    }
                    flags.only = None;
                }
                _ if flags.only.is_some() => protocol = Protocol::Tcp,
                Protocol::Any if !ports.is_empty() => protocol = Protocol::TcpOrUdp,
                _ => {}
            }
            let (from, to) = if direction == Direction::Both { Default::default() } else { (from, to) };
            let covered = |chosen: &Chosen<Addresses>| {
                chosen.not.as_ref().is_some_and(|not| not.cover(chosen.only.as_ref()))
            };
            let lengths = length.not.is_some_and(|not| not.cover(length.only.unwrap_or(Lengths::ALL)));
            let left = !covered(&from) && !covered(&to) && !lengths;
            left.then_some(NetRule { direction, protocol, from, to, ports, length, flags, fault }).map(meant)
        },
    )
}

fn rule_on_operations() -> impl Strategy<Value = OperationRule> {
    let paths = vec(select(vec!["/var/**", "*.db", "/a[:]b", "/a\\:b", "[!x]/?", "/é"]), 0..4);
    let net = any::<bool>().prop_flat_map(network);
    (any::<bool>(), paths, option::of(net), ranges(), error_or_delay(), trigger()).prop_map(
        |(files, paths, peer, ports, (error, delay, distribution), trigger)| {
            let text = if files {
                [&["read,rename:error=EIO"], &*paths].concat().join(":path=")
            } else {
                "connect,send:error=EIO".into()
            };
            let rule = operations(&text);
            let (peer, ports) = if files { (None, Vec::new()) } else { (peer, ports) };
            let objects = Objects { peer, ports, ..rule.objects };
            OperationRule { error, delay, distribution, objects, trigger, ..rule }
        },
    )
}

/// Words of all grammars in any order: closer to the mark than noise is.
fn nearly_a_rule() -> impl Strategy<Value = String> {
    let words = vec![
        "inject=",
        "fault=",
        "read",
        "%file",
        "/^o",
        "!",
        "?",
        "@32",
        "@",
        ",",
        ":",
        "error=",
        "retval=",
        "EIO",
        "-",
        "0x",
        "5",
        "99999999999999999999999999",
        "when=",
        "..",
        "+",
        "prob=",
        "%",
        ".",
        "times=",
        "signal=",
        "delay_enter=",
        "~",
        "distribution=",
        "SEGV",
        "at=",
        "on=",
        "exit",
        "fd",
        "flags",
        "&",
        "<",
        "!=",
        "O_CREAT",
        "|",
        "*",
        "/",
        "comm=",
        "scope=",
        " ",
        "egress",
        "both",
        "tcp",
        "icmp",
        "to",
        "from",
        "10.0.0.0/8",
        "::1",
        "fe80::",
        "db.example",
        "/64",
        "port",
        "not ",
        "length",
        "flags",
        "syn",
        "80",
        "-90",
        "loss",
        "random",
        "gemodel",
        "state",
        "duplicate",
        "corrupt",
        "fixed",
        "reorder",
        "gap",
        "rate",
        "mbit",
        "distribution",
        "limit",
        "connect=",
        "partition",
        "reject",
        "rst",
        "dns",
        "nxdomain",
        "for",
        "host",
        "delay",
        "path=",
        "peer=",
        "[",
        "]",
        "\\",
        "**",
        "connect",
        "ü",
        "\u{0}",
        "s",
        "ms",
    ];
    vec(select(words), 0..14).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn rules_on_calls_read_back(set in select(SETS), effect in effect(), trigger in trigger(), moment in moment()) {
        let model = calls(&format!("{set}:retval=0"));
        let rule = SyscallRule { effect, moment, trigger, ..model };
        prop_assert_eq!(calls(&rule.to_string()), rule);
    }

    #[test]
    fn predicates_read_back(tests in tests(), comm in option::of("[a-z:]{1,14}[*]?")) {
        let comm = comm.filter(|comm| !comm.contains(':')).map_or_else(String::new, |comm| format!(":comm={comm}"));
        let rule = calls(&format!("openat:retval=1:{}{comm}", tests.join(":")));
        prop_assert_eq!(rule.filter.tests.len(), tests.len());
        prop_assert_eq!(calls(&rule.to_string()), rule);
    }

    #[test]
    fn rules_on_packets_read_back(rule in rule_on_packets()) {
        prop_assert_eq!(packets(&rule.to_string()), rule);
    }

    #[test]
    fn rules_on_operations_read_back(rule in rule_on_operations()) {
        prop_assert_eq!(operations(&rule.to_string()), rule);
    }

    #[test]
    fn no_text_makes_a_parser_panic(noise in any::<String>(), near in nearly_a_rule()) {
        for text in [noise, near] {
            for grammar in ["-e", "syscall", "net", "io", "process"] {
                if let Err(error) = read(grammar, &text) {
                    let _ = (error.to_string(), error.hint(), error.caret().to_string());
                    prop_assert!(text.get(error.span()).is_some());
                }
            }
            let _ = duration(&text);
        }
    }
}
