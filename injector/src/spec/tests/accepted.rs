//! Good input, and what it means.

use std::time::Duration;

use super::{
    super::{
        errno::Errno,
        model::{CallResult, Trigger, When},
        packet::{Direction, NetFault, Protocol},
        units::{Probability, duration},
    },
    calls, operations, packets, read,
};
use crate::syscalls::{self, Abi, Call, Machine};

/// The names of a set's calls under one ABI.
fn names(text: &str, abi: Abi) -> Vec<&'static str> {
    let calls = calls(text).calls;
    calls.iter().filter(|call| call.abi == abi).map(|call| syscalls::get(*call).unwrap().name).collect()
}

#[test]
fn a_name_means_all_abis() {
    let rule = calls("read:error=EIO");
    let expected = [(Abi::X86_64, 0), (Abi::I386, 3), (Abi::X32, 0x4000_0000)];
    assert_eq!(rule.calls, expected.map(|(abi, number)| Call { abi, number }).into());
    assert_eq!(rule.named, rule.calls);
    assert_eq!(calls("read@32:error=EIO").calls, [Call { abi: Abi::I386, number: 3 }].into());
    assert_eq!(calls("read@x32:error=EIO").calls, [Call { abi: Abi::X32, number: 0x4000_0000 }].into());
    let arm = super::super::syscall("openat:error=EIO", Machine::Arm64).unwrap();
    assert!(arm.kind.to_string().starts_with("openat:"));
}

#[test]
fn a_number_means_a_call_of_each_abi_that_has_it() {
    assert_eq!(names("3:error=EIO", Abi::X86_64), ["close"]);
    assert_eq!(names("3:error=EIO", Abi::I386), ["read"]);
    assert_eq!(names("514:error=EIO", Abi::X32), ["ioctl"]);
    assert!(names("514:error=EIO", Abi::X86_64).is_empty());
    assert_eq!(calls("3@64:error=EIO").named.len(), 1);
}

#[test]
fn sets_are_straces() {
    let native = |text| names(text, Abi::X86_64);
    assert_eq!(native("fsync,fdatasync:error=EIO"), ["fsync", "fdatasync"]);
    assert_eq!(native(",fsync,,fdatasync,:error=EIO"), ["fsync", "fdatasync"]);
    assert_eq!(native("?fsync,?teapot,?%teapot:error=EIO"), ["fsync"]);
    assert_eq!(native("/^f(data)?sync$:error=EIO"), ["fsync", "fdatasync"]);
    assert_eq!(native("/sync_file:error=EIO"), ["sync_file_range"]);
    assert_eq!(native("file:error=EIO"), native("%file:error=EIO"));
    assert_eq!(native("%NET:error=EIO"), native("network:error=EIO"));
    assert!(native("%net:error=EIO").contains(&"connect"));
    assert_eq!(native("%%stat@64:error=EIO"), ["stat", "fstat", "lstat", "newfstatat", "statx"]);
    assert_eq!(native("!!fsync:error=EIO"), ["fsync"]);
    let all = native("all:error=EIO");
    assert_eq!(native("!none:error=EIO"), all);
    assert_eq!(native("read,all:error=EIO"), all);
    assert!(all.len() > 350 && !all.contains(&"vserver"));
    let others = native("!read,write:error=EIO");
    assert_eq!(others.len(), all.len() - 2);
    assert!(!others.contains(&"read") && !others.contains(&"write"));
}

#[test]
fn only_what_is_named_counts_as_named() {
    for set in ["%file", "/^open", "!fsync", "all", "desc"] {
        assert!(calls(&format!("{set}:error=EIO")).named.is_empty(), "{set}");
    }
    let mixed = calls("%file,close:error=EIO");
    assert_eq!(mixed.named, calls("close:error=EIO").calls);
    assert!(mixed.calls.is_superset(&mixed.named));
}

#[test]
fn errors_have_names_and_numbers() {
    let number = |text: &str| match calls(text).result {
        CallResult::Error(errno) => errno.number(),
        CallResult::Value(value) => panic!("{value}"),
    };
    for (text, expected) in [
        ("EIO", 5),
        ("eio", 5),
        ("-EIO", 5),
        ("5", 5),
        ("4095", 4095),
        ("EWOULDBLOCK", 11),
        ("ENOTSUP", 95),
        ("EHWPOISON", 133),
        ("ERESTARTSYS", 512),
    ] {
        assert_eq!(number(&format!("read:error={text}")), expected, "{text}");
    }
    assert_eq!(calls("read:error=11").result.to_string(), "error=EAGAIN");
    assert_eq!(calls("read:error=41").result.to_string(), "error=41");
    assert_eq!(calls("read:error=EIO").result.return_value(), -5);
    let fault = read("-e", "fault=read:when=3").unwrap();
    assert_eq!(fault.kind.to_string(), "read:error=ENOSYS:when=3");
    assert_eq!(fault.text, "fault=read:when=3");
    assert_eq!(Errno::new(0), None);
}

#[test]
fn return_values_are_c_numbers_of_64_bits() {
    for (text, expected) in [
        ("0", 0),
        ("42", 42),
        ("0x2a", 42),
        ("0X2A", 42),
        ("052", 42),
        ("-1", -1),
        ("-0x10", -16),
        ("18446744073709551615", -1),
        ("0xffffffffffffffff", -1),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        assert_eq!(calls(&format!("read:retval={text}")).result, CallResult::Value(expected), "{text}");
    }
}

#[test]
fn triggers_are_straces_and_ours() {
    let when = |text: &str| calls(&format!("read:error=EIO:when={text}")).trigger.when;
    let expect = |first, last, step| When { first, last, step };
    assert_eq!(when("3"), expect(3, Some(3), 1));
    assert_eq!(when("3+"), expect(3, None, 1));
    assert_eq!(when("3+2"), expect(3, None, 2));
    assert_eq!(when("3..9"), expect(3, Some(9), 1));
    assert_eq!(when("3..9+"), expect(3, Some(9), 1));
    assert_eq!(when("3..9+2"), expect(3, Some(9), 2));
    assert_eq!(when("65535"), expect(65535, Some(65535), 1));
    assert_eq!(when("1..65534+65535"), expect(1, Some(65534), 65535));
    assert_eq!(when("1+"), When::ALWAYS);
    // Of several, the last one counts.
    assert_eq!(when("3:when=5"), expect(5, Some(5), 1));
    // In any order, with empty words between.
    let all = calls("read:when=2+::prob=50%:error=EIO:times=7:").trigger;
    let probability = Probability::new(1 << 31).unwrap();
    assert_eq!(all, Trigger { when: expect(2, None, 1), probability, times: Some(7) });
    assert_eq!(calls("read:error=EIO").trigger, Trigger::ALWAYS);
}

#[test]
fn probabilities_are_exact() {
    let numerator =
        |text: &str| calls(&format!("read:error=EIO:prob={text}")).trigger.probability.numerator();
    assert_eq!(numerator("100%"), 1 << 32);
    assert_eq!(numerator("1.0"), 1 << 32);
    assert_eq!(numerator("25%"), 1 << 30);
    assert_eq!(numerator("0.25"), 1 << 30);
    assert_eq!(numerator(".25"), 1 << 30);
    assert_eq!(numerator("5%"), 214_748_365);
    assert_eq!(numerator("0.05"), 214_748_365);
    assert_eq!(numerator("0.1%"), 4_294_967);
    assert_eq!(numerator("0.00000002%"), 1);
    assert_eq!(calls("read:error=EIO:prob=0.05").trigger.probability.to_string(), "5%");
    assert_eq!(calls("read:error=EIO:prob=33.3%").trigger.probability.to_string(), "33.3%");
}

#[test]
fn packets_are_described_in_any_order() {
    let rule = packets("dport 80,443,8000-8080 to 10.0.0.0/8 tcp egress : loss 10%");
    assert_eq!(rule.to_string(), "egress tcp to 10.0.0.0/8 dport 80,443,8000-8080 : loss 10%");
    assert_eq!(rule.ports.destination, [80..=80, 443..=443, 8000..=8080]);
    let rule = packets("partition");
    assert_eq!(
        (rule.direction, rule.protocol, rule.fault),
        (Direction::Egress, Protocol::Any, NetFault::Partition)
    );
    assert_eq!(rule.trigger(), Trigger::ALWAYS);
    assert_eq!(packets(": loss 10%"), packets("loss random 10%"));
    assert_eq!(packets("loss 25%").trigger().probability.numerator(), 1 << 30);
    assert_eq!(packets("both icmp : partition").to_string(), "both icmp : partition");
    assert_eq!(packets("ingress from 10.0.0.7 : partition").to_string(), "ingress from 10.0.0.7 : partition");
    assert_eq!(packets("to 10.0.0.7/32 : partition"), packets("to 10.0.0.7 : partition"));
}

#[test]
fn ports_without_a_protocol_mean_tcp_and_udp() {
    assert_eq!(packets("port 53 : loss 1%").protocol, Protocol::TcpOrUdp);
    assert_eq!(packets("udp port 53 : loss 1%").protocol, Protocol::Udp);
    assert_eq!(packets("sport 1-65535 dport 53 port 53 : loss 1%").ports.count(), 3);
}

#[test]
fn the_last_colon_separates_unless_it_belongs_to_an_address() {
    for text in ["to ::1 : loss 5%", "to ::1: loss 5%", "to ::1:loss 5%", "to ::1 :loss 5%"] {
        assert_eq!(packets(text).to_string(), "egress to ::1 : loss 5%", "{text}");
    }
    assert_eq!(packets("to fe80::/10:partition").to_string(), "egress to fe80::/10 : partition");
    assert_eq!(packets("to :: : partition").to_string(), "egress to :: : partition");
    assert_eq!(packets("to ::: partition").to_string(), "egress to :: : partition");
    assert_eq!(
        packets("from ::/0 to fd00::7 : partition").to_string(),
        "egress from ::/0 to fd00::7 : partition"
    );
    assert_eq!(packets("tcp:loss 5%").protocol, Protocol::Tcp);
}

#[test]
fn operations_are_chosen_by_paths_peers_and_ports() {
    let rule = operations("read,write:error=EIO:path=/var/**:path=*.db:when=3:prob=50%:times=7");
    let names: Vec<_> = rule.operations.iter().map(|operation| operation.name).collect();
    assert_eq!((names, rule.error.number()), (vec!["read", "write"], 5));
    let paths = rule.paths.as_ref().unwrap();
    assert!(paths.patterns().eq(["/var/**", "*.db"]));
    assert!(
        paths.glob().matches(b"/var/x") && paths.glob().matches(b"/x.db") && !paths.glob().matches(b"/x")
    );
    assert_eq!((rule.trigger.times, rule.peer, rule.ports.len()), (Some(7), None, 0));
    let rule = operations("connect:port=80,8000-8080:peer=10.0.0.0/8:error=5");
    assert_eq!(rule.to_string(), "connect:error=EIO:peer=10.0.0.0/8:port=80,8000-8080");
    for text in ["[::1]", "[fd00::/8]", "[fd00::]/8"] {
        let peer = operations(&format!("send:peer={text}:error=EIO")).peer.unwrap();
        assert!(peer.addr().is_ipv6(), "{text}");
    }
    assert_eq!(operations("accept:error=EIO:port=80").ports, [80..=80]);
    assert_eq!(operations("read:error=EIO").to_string(), "read:error=EIO");
}

#[test]
fn a_colon_in_a_path_is_escaped_or_bracketed() {
    let paths = |text: &str| operations(text).paths.unwrap();
    assert!(paths("read:error=EIO:path=/a\\:b").glob().matches(b"/a:b"));
    assert!(paths("read:path=/a[:]b:error=EIO").glob().matches(b"/a:b"));
    assert!(paths("read:path=/a\\[:error=EIO").glob().matches(b"/a["));
}

#[test]
fn durations_have_units() {
    assert_eq!(duration("30s").unwrap(), Duration::from_secs(30));
    assert_eq!(duration("250ms").unwrap(), Duration::from_millis(250));
    assert_eq!(duration("1h30m").unwrap(), Duration::from_mins(90));
}
