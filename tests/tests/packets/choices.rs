//! Which packets a rule means: lists of addresses and ports, of both families, however long; and while a live
//! plan changes.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, ToSocketAddrs},
    process::Command,
};

use anyhow::{Result, ensure};
use injector_tests::{
    cgroup::Scratch,
    injector::Injector,
    network::{Echo, Http},
};

use crate::{LOCAL, LOCAL6, attach, inhabited, sender, sent};

/// All addresses of the loopback device; answers come from the first of them.
const ANYWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// As many elements as a list, to have others beside the one that counts.
fn many(element: impl Fn(u32) -> String, one: &str) -> String {
    let mut list: Vec<_> = (0..300).map(element).collect();
    list.insert(150, one.to_owned());
    list.join(",")
}

/// Of `count` datagrams to each of these, all at the same time, how many come back.
fn echoed(target: &Scratch, ends: &[(IpAddr, u16)], count: usize) -> Result<Vec<usize>> {
    let senders = ends.iter().map(|&(address, port)| target.spawn(&mut sender(address, port, count)));
    let senders: Vec<_> = senders.collect::<Result<_>>()?;
    senders.into_iter().map(|sender| Ok(sent(sender)?.received.len())).collect()
}

#[test]
fn lists_of_both_families_and_of_any_length() -> Result<()> {
    let target = inhabited()?;
    let (four, six) = (Echo::start(ANYWHERE)?, Echo::start(LOCAL6)?);
    let others = |n: u32| {
        if n.is_multiple_of(2) {
            format!("10.{}.{}.0/25", n / 250, n % 250)
        } else {
            format!("fd00:{n:x}::/48")
        }
    };
    let networks = many(others, "127.0.0.0/9,::1");
    let ports = many(|n| format!("{}-{}", 1 + n * 3, 2 + n * 3), &format!("{},{}", four.port, six.port));
    // Of each family the one that is meant, and one that is beside it.
    for (rule, expected) in [
        (format!("udp to {networks} : partition"), [0, 0, 10]),
        (format!("udp to {networks} dport {ports} : partition"), [0, 0, 10]),
        (format!("ingress udp from ::1,127.128.0.0/9 sport {ports} : partition"), [10, 0, 10]),
        (format!("udp to 10.0.0.0/8,::/0 port {} : partition", six.port), [10, 0, 10]),
        (format!("udp to 0.0.0.0/0 sport 1-65535 dport {} : partition", four.port), [0, 10, 0]),
    ] {
        let injector = attach(target.path(), &[&rule])?;
        let ends = [(LOCAL, four.port), (LOCAL6, six.port), ([127, 200, 0, 1].into(), four.port)];
        let received = echoed(&target, &ends, 10)?;
        let report = injector.interrupt()?.expect(0)?.report()?;
        assert_eq!(received, expected, "{rule:.60}");
        let lost = 30 - expected.iter().sum::<usize>() as u64;
        assert_eq!((report.rules[0].matched, report.rules[0].fired), (lost, lost), "{rule:.60}");
    }
    Ok(())
}

/// What goes on keeps its lists, and what is new has its own.
#[test]
fn a_change_of_a_live_plan_changes_the_lists() -> Result<()> {
    let (target, echo) = (inhabited()?, Echo::start(ANYWHERE)?);
    let one = format!("udp to 127.0.0.1,10.0.0.0/8 dport {} : partition", echo.port);
    let two = "udp to 127.0.0.2,10.0.0.0/8 : partition";
    let mut injector = attach(target.path(), &[&one])?;
    let id = injector.begun()?;
    let ends = [1, 2, 3].map(|last| ([127, 0, 0, last].into(), echo.port));
    let passes = || echoed(&target, &ends, 5);
    let change = |rules: &[&str]| -> Result<()> {
        let change = Injector::new(["change", &id])?;
        rules.iter().fold(change, |change, rule| change.words(["--net", rule])).expect(0)?;
        Ok(())
    };
    assert_eq!(passes()?, [0, 5, 5]);
    change(&[&one, two])?;
    assert_eq!(passes()?, [0, 0, 5]);
    change(&[two])?;
    assert_eq!(passes()?, [5, 0, 5]);
    change(&["udp to 127.0.0.3,127.0.0.1 : partition"])?;
    assert_eq!(passes()?, [0, 5, 0]);
    change(&[&one])?;
    assert_eq!(passes()?, [0, 5, 5]);
    let report = injector.interrupt()?.expect(0)?.report()?;
    let matched: Vec<_> = report.rules.iter().map(|rule| rule.matched).collect();
    assert_eq!(matched, [10, 10, 10, 5], "{report:?}");
    Ok(())
}

/// Rules that hardly ever lose a packet, so that all of them see all packets; and how many each has met.
fn matched(target: &Scratch, rules: &[&str], traffic: impl FnOnce() -> Result<()>) -> Result<Vec<u64>> {
    let rules: Vec<_> = rules.iter().map(|rule| format!("{rule} : loss 0.00000002%")).collect();
    let rules: Vec<_> = rules.iter().map(String::as_str).collect();
    let injector = attach(target.path(), &rules)?;
    traffic()?;
    Ok(injector.interrupt()?.expect(0)?.report()?.rules.iter().map(|rule| rule.matched).collect())
}

#[test]
fn not_and_length() -> Result<()> {
    let (target, echo) = (inhabited()?, Echo::start(ANYWHERE)?);
    let at = format!("dport {}", echo.port);
    // Four bytes behind headers of 28. To one address go five, to the other seven.
    let (both, one, other, none) = (12, 5, 7, 0);
    let asked = [
        (at.clone(), both),
        (format!("not {at}"), none),
        ("not port 9".into(), both),
        (format!("dport 1-65535 not dport 9,{}", echo.port), none),
        ("not tcp".into(), both),
        ("not udp".into(), none),
        ("not tcp not icmp".into(), both),
        ("not to 127.0.0.1".into(), other),
        ("not to ::1,10.0.0.0/8".into(), both),
        ("to 127.0.0.0/8 not to 127.0.0.2".into(), one),
        ("not from 0.0.0.0/0".into(), none),
        (format!("not ingress {at}"), both),
        (format!("not egress sport {}", echo.port), both),
        ("length 32".into(), both),
        ("length 33-".into(), none),
        ("length 0-31".into(), none),
        ("udp not length 32-100".into(), none),
        ("udp length 20- not length 33-".into(), both),
        // What has no flags does not have these.
        ("not flags syn".into(), both),
    ];
    let rules: Vec<_> = asked.iter().map(|(rule, _)| rule.as_str()).collect();
    let met = matched(&target, &rules, || {
        for (last, count) in [(1, 5), (2, 7)] {
            echoed(&target, &[([127, 0, 0, last].into(), echo.port)], count)?;
        }
        Ok(())
    })?;
    for ((rule, expected), met) in asked.iter().zip(met) {
        assert_eq!(met, *expected, "{rule}");
    }
    Ok(())
}

#[test]
fn flags_of_a_connection() -> Result<()> {
    let (target, http) = (inhabited()?, Http::start(LOCAL, 20_000)?);
    let at = |rest: &str| format!("tcp dport {} {rest}", http.port);
    let back = |rest: &str| format!("ingress tcp sport {} {rest}", http.port);
    let rules = [
        at(""),
        at("flags syn"),
        at("flags syn/syn,ack"),
        at("flags syn,ack/syn,ack"),
        at("not flags syn"),
        at("flags ack"),
        at("flags fin"),
        at("not flags syn,fin"),
        at("flags ack not flags fin"),
        back("flags syn,ack/syn,ack"),
        back("flags syn/syn,ack"),
    ];
    let rules: Vec<_> = rules.iter().map(String::as_str).collect();
    let met = matched(&target, &rules, || {
        let mut curl = Command::new("curl");
        curl.args([
            "-sS",
            "-o",
            "/dev/null",
            "--max-time",
            "60",
            &format!("http://127.0.0.1:{}/", http.port),
        ]);
        ensure!(target.spawn(&mut curl)?.wait()?.success(), "no transfer");
        Ok(())
    })?;
    let [all, syn, only_syn, syn_ack, not_syn, ack, fin, rest, ack_rest, answer, none] = met[..] else {
        panic!("{met:?}");
    };
    assert!(syn >= 1 && fin >= 1 && answer >= 1 && rest > 2, "{met:?}");
    assert_eq!((only_syn, syn_ack, none), (syn, 0, 0), "{met:?}");
    assert_eq!((not_syn, ack), (all - syn, all - syn), "{met:?}");
    assert_eq!((rest, ack_rest), (all - syn - fin, all - syn - fin), "{met:?}");
    Ok(())
}

/// All addresses of a name, as they were when the plan began, are told and met; a change keeps them.
#[test]
fn hosts_are_their_addresses() -> Result<()> {
    let all: BTreeSet<_> = ("localhost", 0).to_socket_addrs()?.map(|address| address.ip()).collect();
    let (target, four, six) = (inhabited()?, Echo::start(ANYWHERE)?, Echo::start(LOCAL6)?);
    let rule = "udp to localhost,10.0.0.1 : partition";
    let dry =
        Injector::new(["attach", "--dry-run", "--net", rule, "--cgroup"])?.word(target.path()).expect(0)?;
    let note = dry.stdout.lines().find(|line| line.contains("the host localhost is")).unwrap_or_default();
    ensure!(all.iter().all(|address| note.contains(&address.to_string())), "{all:?}: {}", dry.stdout);

    let mut injector = attach(target.path(), &[rule])?;
    let id = injector.begun()?;
    let passes = || -> Result<()> {
        let ends = [(LOCAL, four.port), ([127, 0, 0, 2].into(), four.port), (LOCAL6, six.port)];
        let expected = ends.map(|(address, _)| if all.contains(&address) { 0 } else { 5 });
        assert_eq!(echoed(&target, &ends, 5)?, expected, "{all:?}");
        Ok(())
    };
    passes()?;
    Injector::new(["change", &id, "--net", rule, "--net", "tcp not to localhost : partition"])?.expect(0)?;
    passes()?;
    let wrong = Injector::new(["change", &id, "--net", "to nosuch.invalid : partition"])?.expect(2)?;
    ensure!(wrong.stderr.contains("cannot find the host `nosuch.invalid`"), "{}", wrong.stderr);
    let report = injector.interrupt()?.expect(0)?.report()?;
    assert_eq!((report.rules.len(), report.rules[0].fired), (2, 10 * all.len() as u64), "{report:?}");
    Ok(())
}
