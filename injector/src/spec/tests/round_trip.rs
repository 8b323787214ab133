//! Printing a rule and reading it again gives the same rule, and no text makes a parser panic.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
    time::Duration,
};

use ipnet::IpNet;
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{
    super::{
        effect::{CallResult, Effect, Moment},
        errno::Errno,
        model::{Scope, SyscallRule, Trigger, When},
        object::Objects,
        operation::OperationRule,
        packet::{Direction, NetFault, NetRule, Ports, Protocol, Reject, Unreachable},
        signal::Signal,
        units::{Probability, duration},
    },
    calls, impairment, operations, packets, read,
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

fn effect() -> impl Strategy<Value = Effect> {
    let delay = || option::of((0..u64::MAX / 2).prop_map(Duration::from_nanos));
    let signal = option::of((1_u8..=Signal::MAX).prop_map(|number| Signal::new(number).unwrap()));
    (option::of(result()), signal, delay(), delay()).prop_filter_map(
        "something happens",
        |(result, signal, delay_enter, delay_exit)| {
            let effect = Effect { result, signal, delay_enter, delay_exit };
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

fn network(ipv4: bool) -> impl Strategy<Value = IpNet> {
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
    prop_oneof![
        (1_u16..=511).prop_map(|error| NetFault::Connect(Errno::new(error).unwrap())),
        how.prop_map(NetFault::Reject)
    ]
}

type Lists = (Vec<RangeInclusive<u16>>, Vec<RangeInclusive<u16>>, Vec<RangeInclusive<u16>>);

/// What a MATCH can say beside `fault`.
fn meant(
    fault: &NetFault,
    (direction, protocol, from, ports): (Direction, Protocol, Option<IpNet>, Lists),
) -> (Direction, Protocol, Option<IpNet>, Lists) {
    match fault {
        NetFault::Connect(_) => {
            let protocol = if protocol == Protocol::Icmp { Protocol::Tcp } else { protocol };
            (Direction::Egress, protocol, None, (Vec::new(), ports.1, ports.2))
        }
        NetFault::Reject(Reject::Reset) => {
            let other = matches!(protocol, Protocol::Udp | Protocol::Icmp);
            (Direction::Egress, if other { Protocol::Tcp } else { protocol }, from, ports)
        }
        NetFault::Reject(_) => (Direction::Egress, protocol, from, ports),
        NetFault::Netem(_) | NetFault::Partition => (direction, protocol, from, ports),
    }
}

fn rule_on_packets() -> impl Strategy<Value = NetRule> {
    let direction = select(vec![Direction::Egress, Direction::Ingress, Direction::Both]);
    let protocol = select(vec![Protocol::Any, Protocol::Tcp, Protocol::Udp, Protocol::Icmp]);
    let addresses =
        any::<bool>().prop_flat_map(|ipv4| (option::of(network(ipv4)), option::of(network(ipv4))));
    let ports = (ranges(), ranges(), ranges());
    let fault = prop_oneof![
        Just(NetFault::Partition),
        impairment::netem().prop_map(|netem| NetFault::Netem(netem.into())),
        alone(),
    ];
    (direction, protocol, addresses, ports, fault).prop_map(
        |(direction, protocol, (from, to), ports, fault)| {
            let (direction, protocol, from, ports) = meant(&fault, (direction, protocol, from, ports));
            let (source, destination, either) = ports;
            let ports = match protocol {
                Protocol::Icmp => Ports::default(),
                _ => Ports { source, destination, either },
            };
            let protocol = match protocol {
                Protocol::Any if !ports.is_empty() => Protocol::TcpOrUdp,
                other => other,
            };
            let (from, to) = if direction == Direction::Both { (None, None) } else { (from, to) };
            NetRule { direction, protocol, from, to, ports, fault }
        },
    )
}

fn rule_on_operations() -> impl Strategy<Value = OperationRule> {
    let paths = vec(select(vec!["/var/**", "*.db", "/a[:]b", "/a\\:b", "[!x]/?", "/é"]), 0..4);
    let net = any::<bool>().prop_flat_map(network);
    (any::<bool>(), paths, option::of(net), ranges(), 1_u16..=Errno::MAX, trigger()).prop_map(
        |(files, paths, peer, ports, error, trigger)| {
            let text = if files {
                [&["read,rename:error=EIO"], &*paths].concat().join(":path=")
            } else {
                "connect,send:error=EIO".into()
            };
            let rule = operations(&text);
            let (peer, ports) = if files { (None, Vec::new()) } else { (peer, ports) };
            let objects = Objects { peer, ports, ..rule.objects };
            OperationRule { objects, error: Errno::new(error).unwrap(), trigger, ..rule }
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
        "/64",
        "port",
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
            for grammar in ["-e", "syscall", "net", "io"] {
                if let Err(error) = read(grammar, &text) {
                    let _ = (error.to_string(), error.hint(), error.caret().to_string());
                    prop_assert!(text.get(error.span()).is_some());
                }
            }
            let _ = duration(&text);
        }
    }
}
