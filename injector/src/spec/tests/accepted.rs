//! Good input, and what it means.

use std::time::Duration;

use crate::{
    spec::{
        delay::Delay,
        effect::{CallResult, Moment},
        errno::Errno,
        model::{Scope, Trigger, When},
        netem::Distribution,
        packet::{Direction, NetFault, Protocol},
        tests::{calls, operations, packets, read},
        units::{Probability, duration},
    },
    syscalls::{self, Abi, Call, Machine},
};

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
    let number = |text: &str| match calls(text).effect.result {
        Some(CallResult::Errors(errors)) if errors.len() == 1 => errors[0].0.number(),
        other => panic!("{other:?}"),
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
    assert_eq!(calls("read:error=11").effect.to_string(), "error=EAGAIN");
    assert_eq!(calls("read:error=41").effect.to_string(), "error=41");
    assert_eq!(calls("read:error=EIO").effect.result.unwrap().values(), [-5]);
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
        let result = calls(&format!("read:retval={text}")).effect.result;
        assert_eq!(result, Some(CallResult::Value(expected)), "{text}");
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
    // In any order, with empty words between.
    let all = calls("read:when=2+::prob=50%:error=EIO:times=7:").trigger;
    let probability = Probability::new(1 << 31).unwrap();
    assert_eq!(all, Trigger { when: expect(2, None, 1), probability, times: Some(7), scope: Scope::Thread });
    assert_eq!(calls("read:error=EIO").trigger, Trigger::ALWAYS);
}

#[test]
fn several_errors_have_weights() {
    let errors = |text: &str| calls(&format!("write:error={text}")).effect.result.unwrap();
    assert_eq!(errors("EIO*3/ENOSPC").to_string(), "error=EIO*3/ENOSPC");
    assert_eq!(errors("EIO*3/ENOSPC").values(), [-5, -28]);
    assert_eq!(errors("EIO*1"), errors("EIO"));
    assert_eq!(errors("5/28*10000").to_string(), "error=EIO/ENOSPC*10000");
    let fault = read("-e", "fault=write:error=EIO/EDQUOT").unwrap();
    assert_eq!(fault.kind.to_string(), "write:error=EIO/EDQUOT");
}

#[test]
fn signals_are_straces() {
    let signal = |text: &str| calls(&format!("read:signal={text}")).effect.signal.unwrap();
    for (text, number, printed) in [
        ("SIGUSR1", 10, "SIGUSR1"),
        ("usr1", 10, "SIGUSR1"),
        ("10", 10, "SIGUSR1"),
        ("Kill", 9, "SIGKILL"),
        ("SIGPOLL", 29, "SIGIO"),
        ("64", 64, "SIGRT_32"),
        ("SIGRT_2", 34, "SIGRT_2"),
        ("RTMIN+2", 34, "SIGRT_2"),
        ("SIGRTMIN", 32, "SIGRT_0"),
    ] {
        assert_eq!((signal(text).number(), signal(text).to_string()), (number, printed.into()), "{text}");
    }
    let both = calls("read:signal=SEGV:error=EINTR");
    assert_eq!(both.effect.to_string(), "error=EINTR:signal=SIGSEGV");
}

fn fixed(time: Duration) -> Delay {
    Delay::For { time, jitter: Duration::ZERO }
}

#[test]
fn jitter_stands_behind_the_time_and_spreads_as_netems() {
    let effect = |text: &str| calls(&format!("read:{text}")).effect;
    let (time, jitter) = (Duration::from_millis(10), Duration::from_micros(2500));
    let found = effect("delay_enter=10ms~2.5ms");
    assert_eq!(
        (found.delay_enter, found.distribution),
        (Some(Delay::For { time, jitter }), Distribution::Uniform)
    );
    for (text, printed) in [
        ("delay_enter=10ms~2000", "delay_enter=10ms~2ms"),
        ("delay_enter=10ms~0", "delay_enter=10ms"),
        ("delay_exit=1s~1s:distribution=uniform", "delay_exit=1s~1s"),
        ("distribution=pareto:delay_enter=1s~1s", "delay_enter=1s~1s:distribution=pareto"),
        (
            "delay_enter=1s:delay_exit=1s~1ms:distribution=normal",
            "delay_enter=1s:delay_exit=1s~1ms:distribution=normal",
        ),
    ] {
        assert_eq!(effect(text).to_string(), printed);
    }
    for (text, path) in [("./my.dist", "./my.dist"), (r"/a\:b\[c\\d", r"/a:b[c\d"), ("/a[:b]", "/a[:b]")] {
        let found = effect(&format!("delay_enter=1s~1s:distribution={text}")).distribution;
        assert_eq!(found, Distribution::File(path.into()), "{text}");
    }
    let operation = operations("open:delay=10ms~2500:distribution=paretonormal:path=/a");
    assert_eq!(operation.to_string(), "open:delay=10ms~2500us:distribution=paretonormal:path=/a");
}

#[test]
fn delays_are_straces() {
    let delay = |text: &str| calls(&format!("read:delay_enter={text}")).effect.delay_enter.unwrap();
    for (text, microseconds) in
        [("100", 100), ("100us", 100), ("1.5ms", 1500), (".5s", 500_000), ("3s", 3_000_000), ("0", 0)]
    {
        assert_eq!(delay(text), fixed(Duration::from_micros(microseconds)), "{text}");
    }
    assert_eq!(delay("1.5"), fixed(Duration::from_nanos(1500)));
    assert_eq!(delay("7ns"), fixed(Duration::from_nanos(7)));
    assert_eq!((delay("forever"), delay("forever").to_string()), (Delay::Forever, "forever".into()));
    assert_eq!(
        calls("read:delay_exit=1500:delay_enter=2s").effect.to_string(),
        "delay_enter=2s:delay_exit=1500us"
    );
}

#[test]
fn moments_are_entry_and_exit() {
    let moment = |text: &str| calls(&format!("read:error=EIO:{text}")).moment;
    assert_eq!(moment(""), Moment::Entry);
    assert_eq!(moment("at=entry"), Moment::Entry);
    assert_eq!(moment("at=exit"), Moment::Exit);
    assert_eq!(moment("on=success"), Moment::Success);
    assert_eq!(moment("at=exit:on=failure"), Moment::Failure);
    assert_eq!(moment("on=failure:at=exit"), Moment::Failure);
}

#[test]
fn scopes_say_who_counts_together() {
    let scope = |text: &str| calls(&format!("read:error=EIO{text}")).trigger.scope;
    assert_eq!(scope(""), Scope::Thread);
    assert_eq!(scope(":scope=thread"), Scope::Thread);
    assert_eq!(scope(":scope=process"), Scope::Process);
    assert_eq!(scope(":scope=rule"), Scope::Rule);
}

/// What a predicate asks of the arguments of a call, given the registers of the caller.
fn holds(text: &str, abi: Abi, registers: [u64; 6]) -> bool {
    let rule = calls(&format!("{text}:error=EIO"));
    let call = rule.calls.iter().find(|call| call.abi == abi).unwrap();
    rule.filter.tests.iter().all(|test| {
        let asked = test.of(syscalls::get(*call).unwrap()).unwrap();
        let holds = |nth: u16| asked.holds(registers[usize::from(nth)]) == 1;
        holds(asked.first) || holds(asked.second)
    })
}

#[test]
fn predicates_ask_about_arguments() {
    let native = |text: &str, registers: &[u64]| {
        let mut all = [0; 6];
        all[..registers.len()].copy_from_slice(registers);
        holds(text, Abi::X86_64, all)
    };
    for (text, registers, expected) in [
        ("write:count>4096", &[0, 0, 4097][..], true),
        ("write:count>4096", &[0, 0, 4096], false),
        ("write:count>=4096", &[0, 0, 4096], true),
        ("write:count>=0", &[0, 0, 0], true),
        ("write:count<4096", &[0, 0, 4095], true),
        ("write:count<=4096", &[0, 0, 4097], false),
        ("write:count<=0xffffffffffffffff", &[0, 0, u64::MAX], true),
        ("write:arg2=7", &[0, 0, 7], true),
        ("write:arg2!=7", &[0, 0, 7], false),
        ("write:fd=3", &[3], true),
        ("write:fd=3", &[0xdead_0000_0003], true),
        ("write:fd!=3", &[3], false),
        ("write:fd>2", &[2], false),
        ("openat:flags&O_CREAT", &[0, 0, 0o101], true),
        ("openat:flags&O_CREAT", &[0, 0, 1], false),
        ("openat:flags&O_CREAT|O_TRUNC", &[0, 0, 0o1000], true),
        ("openat:flags&O_ACCMODE=O_WRONLY", &[0, 0, 0o101], true),
        ("openat:flags&O_ACCMODE=O_RDONLY", &[0, 0, 0o102], false),
        ("openat:flags&O_ACCMODE!=O_RDONLY", &[0, 0, 0o102], true),
        ("openat:dfd=AT_FDCWD", &[0xffff_ff9c], true),
        ("openat:dfd<0", &[0xffff_ff9c], true),
        ("openat:dfd=-100", &[100], false),
        ("sendfile:fd=4", &[3, 4], true),
        ("sendfile:fd=4", &[4, 3], true),
        ("sendfile:fd=4", &[5, 6], false),
        ("lseek:offset<0", &[3, (-1_i64).cast_unsigned()], true),
        ("socket:family=AF_INET6:type&SOCK_STREAM", &[10, 1], true),
        ("socket:family=AF_INET6:type&SOCK_STREAM", &[2, 1], false),
        ("write:count<0", &[0, 0, 5], false),
        ("write:count>0xffffffffffffffff", &[0, 0, u64::MAX], false),
        ("lseek:offset>-1", &[3, 0], true),
        ("lseek:offset>-1", &[3, (-2_i64).cast_unsigned()], false),
        ("lseek:offset<=-1", &[3, (-1_i64).cast_unsigned()], true),
        ("kill:pid<=-1", &[0xffff_ffff], true),
        ("kill:pid>=0", &[0xffff_ffff], false),
        ("kill:pid!=-1", &[0xdead_beef_ffff_ffff], false),
    ] {
        assert_eq!(native(text, registers), expected, "{text} {registers:?}");
    }
    assert!(holds("openat:dfd=AT_FDCWD", Abi::I386, [0xffff_ff9c, 0, 0, 0, 0, 0]));
    assert!(holds("write:count=0xffffffff", Abi::I386, [0, 0, 0xffff_ffff, 0, 0, 0]));
    // A class brings calls without that argument, which are left to the plan.
    assert!(calls("%file:error=EIO:flags&O_CREAT").calls.len() > 50);
}

#[test]
fn a_threads_name_is_whole_or_a_beginning() {
    let bytes = |text: &str| calls(&format!("read:error=EIO:comm={text}")).filter.comm.unwrap().bytes();
    let packed = |name: &[u8]| {
        let mut bytes = [0; 16];
        bytes[..name.len()].copy_from_slice(name);
        bytemuck::cast::<_, [u64; 2]>(bytes)
    };
    assert_eq!(bytes("redis-server"), ([u64::MAX; 2], packed(b"redis-server")));
    assert_eq!(bytes("ab*"), (packed(b"\xff\xff"), packed(b"ab")));
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
    assert_eq!(rule.ports.destination.only.unwrap().0, [80..=80, 443..=443, 8000..=8080]);
    let rule = packets("partition");
    assert_eq!(
        (rule.direction, rule.protocol, rule.fault),
        (Direction::Egress, Protocol::Any, NetFault::Partition)
    );
    assert_eq!(packets(": loss 10%"), packets("loss random 10%"));
    assert_eq!(packets("both icmp : partition").to_string(), "both icmp : partition");
    assert_eq!(packets("ingress from 10.0.0.7 : partition").to_string(), "ingress from 10.0.0.7 : partition");
    assert_eq!(packets("to 10.0.0.7/32 : partition"), packets("to 10.0.0.7 : partition"));
}

#[test]
fn ports_without_a_protocol_mean_tcp_and_udp() {
    assert_eq!(packets("port 53 : loss 1%").protocol, Protocol::TcpOrUdp);
    assert_eq!(packets("udp port 53 : loss 1%").protocol, Protocol::Udp);
    let ports = packets("sport 1-65535 dport 53 port 53 : loss 1%").ports;
    let lists = [ports.source, ports.destination, ports.either].map(|list| list.only.unwrap().0);
    assert_eq!(lists.concat(), [1..=65535, 53..=53, 53..=53]);
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
fn lists_have_both_families_and_any_length() {
    for (text, shown) in [
        ("to 10.0.0.7,10.1.0.0/16,fd00::/8 : loss 5%", "egress to 10.0.0.7,10.1.0.0/16,fd00::/8 : loss 5%"),
        ("from ::1,127.0.0.0/8 to ::1:partition", "egress from ::1,127.0.0.0/8 to ::1 : partition"),
        ("to 10.0.0.7,10.0.0.7/32 : loss 5%", "egress to 10.0.0.7,10.0.0.7 : loss 5%"),
        ("to 0.0.0.0/0,::/0 : loss 5%", "egress to 0.0.0.0/0,::/0 : loss 5%"),
        ("to ::1,fd00::1:loss 5%", "egress to ::1,fd00::1 : loss 5%"),
    ] {
        assert_eq!(packets(text).to_string(), shown, "{text}");
    }
    let odd: Vec<_> = (1..=65535_u32).step_by(2).map(|port| port.to_string()).collect();
    let rule = packets(&format!("tcp dport {} : loss 5%", odd.join(",")));
    assert_eq!(rule.ports.destination.only.unwrap().0.len(), 32_768);
    let hosts: Vec<_> = (0..=255).map(|byte| format!("10.0.{byte}.1")).collect();
    let rule = packets(&format!("to {} : loss 5%", hosts.join(",")));
    assert_eq!(rule.to.only.unwrap().networks().count(), 256);
}

#[test]
fn hosts_stand_among_addresses() {
    for (text, names) in [
        ("to example.org : loss 5%", vec!["example.org"]),
        ("to db-1.local,10.0.0.1,db_2. not to localhost:loss 5%", vec!["db-1.local", "db_2.", "localhost"]),
        ("from a.b,::1:partition", vec!["a.b"]),
        ("to 3com,tcp.,x,loss.example : loss 5%", vec!["3com", "tcp.", "x", "loss.example"]),
        ("from ::1 to db : loss 5%", vec!["db"]),
    ] {
        let rule = packets(text);
        let hosts: Vec<_> = rule.hosts().map(|host| host.name.as_str()).collect();
        assert_eq!(hosts, names, "{text}");
        assert!(rule.hosts().all(|host| host.addresses.is_empty()));
    }
    assert_eq!(packets("to a,::1,b : loss 5%").to_string(), "egress to a,::1,b : loss 5%");
}

#[test]
fn not_negates_the_word_behind_it() {
    for (text, shown) in [
        ("not to 10.0.0.0/8 : loss 5%", "egress not to 10.0.0.0/8 : loss 5%"),
        ("not to 10.0.0.1,::1 to 10.0.0.0/8 : loss 5%", "egress to 10.0.0.0/8 not to 10.0.0.1,::1 : loss 5%"),
        ("not port 22 : loss 5%", "egress not port 22 : loss 5%"),
        ("tcp dport 1-1024 not dport 22,80 : loss 5%", "egress tcp dport 1-1024 not dport 22,80 : loss 5%"),
        ("not tcp : loss 5%", "egress not tcp : loss 5%"),
        ("not icmp not udp : loss 5%", "egress not udp not icmp : loss 5%"),
        ("not egress : loss 5%", "ingress : loss 5%"),
        ("not   ingress : loss 5%", "egress : loss 5%"),
        ("not tcp not port 53 : loss 5%", "egress not tcp not port 53 : loss 5%"),
        ("not length 0-100 : loss 5%", "egress not length 0-100 : loss 5%"),
        ("both not sport 22 : partition", "both not sport 22 : partition"),
        ("not to ::1:partition", "egress not to ::1 : partition"),
    ] {
        assert_eq!(packets(text).to_string(), shown, "{text}");
    }
    // Behind `not`, ports say nothing of the protocol.
    assert_eq!(packets("not port 22 : loss 5%").protocol, Protocol::Any);
    assert_eq!(packets("not flags rst : loss 5%").protocol, Protocol::Any);
    assert_eq!(packets("sport 80 not dport 22 : loss 5%").protocol, Protocol::TcpOrUdp);
}

#[test]
fn lengths_and_flags_of_packets() {
    let length = |text: &str| {
        let length = packets(&format!("length {text} : loss 5%")).length.only.unwrap();
        (length.first, length.last)
    };
    assert_eq!((length("100-200"), length("1000-"), length("40")), ((100, 200), (1000, 65_575), (40, 40)));
    assert_eq!((length("0-20"), length("65575")), ((0, 20), (65_575, 65_575)));
    for (text, shown) in [
        ("flags syn : loss 5%", "egress tcp flags syn : loss 5%"),
        ("tcp flags fin,rst : loss 5%", "egress tcp flags fin,rst : loss 5%"),
        ("flags syn/ack,syn dport 80 : partition", "egress tcp dport 80 flags syn/syn,ack : partition"),
        ("flags syn not flags ack : partition", "egress tcp flags syn not flags ack : partition"),
        ("tcp not flags syn : partition", "egress tcp not flags syn : partition"),
        ("flags ecn,cwr length 1000- : partition", "egress tcp length 1000- flags ecn,cwr : partition"),
    ] {
        assert_eq!(packets(text).to_string(), shown, "{text}");
    }
}

#[test]
fn operations_are_chosen_by_paths_peers_and_ports() {
    let rule = operations("read,write:error=EIO:path=/var/**:path=*.db:when=3:prob=50%:times=7");
    let names: Vec<_> = rule.operations.iter().map(|operation| operation.name).collect();
    assert_eq!((names, rule.error.unwrap().number()), (vec!["read", "write"], 5));
    let paths = rule.objects.paths.as_ref().unwrap();
    assert!(paths.patterns().eq(["/var/**", "*.db"]));
    assert!(
        paths.glob().matches(b"/var/x") && paths.glob().matches(b"/x.db") && !paths.glob().matches(b"/x")
    );
    assert_eq!((rule.trigger.times, rule.objects.peer, rule.objects.ports.len()), (Some(7), None, 0));
    let rule = operations("connect:port=80,8000-8080:peer=10.0.0.0/8:error=5");
    assert_eq!(rule.to_string(), "connect:error=EIO:peer=10.0.0.0/8:port=80,8000-8080");
    for text in ["[::1]", "[fd00::/8]", "[fd00::]/8"] {
        let peer = operations(&format!("send:peer={text}:error=EIO")).objects.peer.unwrap();
        assert!(peer.addr().is_ipv6(), "{text}");
    }
    assert_eq!(operations("accept:error=EIO:port=80").objects.ports, [80..=80]);
    assert_eq!(operations("read:error=EIO").to_string(), "read:error=EIO");
    assert_eq!(operations("open:path=/a:delay=1500:when=2").to_string(), "open:delay=1500us:path=/a:when=2");
    let both = operations("connect:delay=forever:error=EIO");
    assert_eq!((both.error.map(Errno::number), both.delay), (Some(5), Some(Delay::Forever)));
}

#[test]
fn a_colon_in_a_path_is_escaped_or_bracketed() {
    let paths = |text: &str| operations(text).objects.paths.unwrap();
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
