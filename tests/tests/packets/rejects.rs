//! Packets that are refused, and what the client is told of it: on the loopback device, on one with an Ethernet
//! header, and on one without any header.

use std::{
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    cgroup::{Scratch, spawn_in},
    injector::{Finished, Injector},
    network::{Http, Space, sh},
    victim,
};

use crate::{
    LOCAL, LOCAL6, attach, inhabited,
    refusals::{steps, visit, visitor},
};

/// What rule 0 did to how many packets.
fn answered(finished: &Finished, count: u64, answer: &str) -> Result<()> {
    let report = finished.report()?;
    let packets = &report.rules[0];
    assert_eq!((packets.matched, packets.fired), (count, count));
    let told: Vec<_> = finished.log.iter().filter_map(|line| line["verdict"]["answer"].as_str()).collect();
    ensure!(told.len() as u64 == count && told.iter().all(|told| *told == answer), "{told:?}");
    assert_eq!(packets.packets["answered"], count);
    Ok(())
}

#[test]
fn new_connections_are_reset() -> Result<()> {
    for address in [LOCAL, LOCAL6] {
        let (target, http) = (inhabited()?, Http::start(address, 10)?);
        for rule in ["reject", "tcp : reject rst"] {
            let injector = attach(target.path(), &[rule])?;
            assert_eq!(visit(&target, "tcp", address, http.port)?, ["connect ECONNREFUSED"], "{rule}");
            answered(&injector.interrupt()?.expect(0)?, 1, "rst")?;
        }
    }
    Ok(())
}

/// What is answered does not wait, whatever else the rules want; what is not does.
#[test]
fn an_answer_comes_before_a_delay() -> Result<()> {
    let (target, http) = (inhabited()?, Http::start(LOCAL, 10)?);
    let injector = attach(target.path(), &["delay 50ms", &format!("tcp dport {} : reject rst", http.port)])?;
    assert_eq!(visit(&target, "tcp", LOCAL, http.port)?, ["connect ECONNREFUSED"]);
    assert_eq!(visit(&target, "udp", LOCAL, 9)?, ["connect ok", "send ok", "recv ECONNREFUSED"]);
    let rules = injector.interrupt()?.expect(0)?.report()?.rules;
    assert_eq!((rules[1].fired, rules[1].packets["answered"]), (1, 1));
    // The datagram went through the delay line; the first packet of the connection did not.
    assert_eq!((rules[0].packets["delayed"], rules[1].matched), (1, 1), "{rules:?}");
    Ok(())
}

#[test]
fn an_established_connection_is_reset() -> Result<()> {
    let (target, http) = (inhabited()?, Http::start(LOCAL, 10)?);
    let mut visitor = visitor(Command::new(victim::VISIT), "held", LOCAL, http.port);
    let mut child = spawn_in(target.path(), &mut visitor)?;
    let mut lines = BufReader::new(child.stdout.take().context("no pipe")?).lines();
    ensure!(lines.next().context("it said nothing")??.starts_with("connect ok"));
    let injector = attach(target.path(), &[&format!("tcp dport {} : reject rst", http.port)])?;
    child.stdin.take().context("no pipe")?.write_all(b"\n")?;
    let rest = lines.collect::<Result<Vec<_>, _>>()?;
    ensure!(rest.last().context("nothing came of it")?.contains("ECONNRESET"), "{rest:?}");
    child.wait()?;
    answered(&injector.interrupt()?.expect(0)?, 1, "rst")
}

/// UDP is told at once, if the kernel tells it at all; TCP when it sends for the second time.
#[test]
fn unreachable_in_every_way() -> Result<()> {
    let target = inhabited()?;
    for (what, address, error, udp) in [
        ("port", LOCAL, "ECONNREFUSED", true),
        ("admin", LOCAL, "EHOSTUNREACH", true),
        ("admin", LOCAL6, "EACCES", true),
        ("host", LOCAL6, "EHOSTUNREACH", false),
        ("net", LOCAL, "ENETUNREACH", false),
    ] {
        let injector = attach(target.path(), &[&format!("reject icmp {what}")])?;
        let told = if udp { error } else { "EAGAIN" };
        let steps = visit(&target, "udp", address, 9)?;
        assert_eq!(steps, ["connect ok", "send ok", &format!("recv {told}")], "{what}");
        assert_eq!(visit(&target, "tcp", address, 9)?, [format!("connect {error}")], "{what}");
        // TCP has sent twice.
        answered(&injector.interrupt()?.expect(0)?, 3, &format!("icmp {what}"))?;
    }
    Ok(())
}

fn told(target: &Scratch, space: &Space, how: &str, address: &str) -> Result<String> {
    let address: IpAddr = address.parse()?;
    let mut visitor = visitor(space.command(victim::VISIT), how, address, 443);
    steps(target.spawn(&mut visitor)?)?.pop().context("it said nothing")
}

/// A namespace with a veth pair, an address of IPv6 on it, and a tunnel, which has no link header.
#[test]
fn on_devices_that_lead_somewhere() -> Result<()> {
    let space = Space::new("refused")?;
    space.join("veth-refused", "10.5.0")?;
    sh("ip addr add fd05::1/64 dev veth-refused nodad")?;
    sh("ip -n refused addr add fd05::2/64 dev eth0 nodad")?;
    // Nobody asks for the module by a device file that is not there yet; where it is built in, there is none.
    let _ = sh("modprobe tun");
    sh("ip -n refused tuntap add dev tun0 mode tun")?;
    sh("ip -n refused addr add 10.6.0.1/24 dev tun0")?;
    sh("ip -n refused link set tun0 up")?;
    let target = Scratch::new()?;
    // Killed with the cgroup. Somebody has to live in the namespace when the injector comes.
    target.spawn(space.command("sleep").arg("1000"))?;
    assert_eq!(told(&target, &space, "tcp", "10.5.0.1")?, "connect ECONNREFUSED", "the peer's own");
    let injector =
        attach(target.path(), &["tcp : reject", "udp : reject icmp admin", "icmp : reject icmp host"])?;
    for (address, error) in
        [("10.5.0.1", "EHOSTUNREACH"), ("fd05::1", "EACCES"), ("10.6.0.2", "EHOSTUNREACH")]
    {
        assert_eq!(told(&target, &space, "tcp", address)?, "connect ECONNREFUSED", "{address}");
        assert_eq!(told(&target, &space, "udp", address)?, format!("recv {error}"), "{address}");
    }
    let mut ping = space.command("ping");
    ping.args(["-c", "2", "-i", "0.1", "-W", "1", "10.5.0.1"]).stdout(Stdio::piped());
    let said = String::from_utf8(target.spawn(&mut ping)?.wait_with_output()?.stdout)?;
    ensure!(said.contains("Destination Host Unreachable"), "{said}");
    let report = injector.interrupt()?.expect(0)?.report()?;
    let counts: Vec<_> = report.rules.iter().map(|rule| (rule.matched, rule.fired)).collect();
    assert_eq!(counts, [(3, 3), (3, 3), (2, 2)]);
    Ok(())
}

/// To a group nobody answers.
#[test]
fn what_is_not_answered_is_lost() -> Result<()> {
    let target = inhabited()?;
    let group = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251));
    sh("ip route add 224.0.0.0/4 dev lo")?;
    let injector = attach(target.path(), &["udp : reject"])?;
    let steps = visit(&target, "udp", group, 5353)?;
    sh("ip route del 224.0.0.0/4 dev lo")?;
    assert_eq!(steps, ["connect ok", "send ok", "recv EAGAIN"]);
    let finished = injector.interrupt()?.expect(0)?;
    assert_eq!(finished.log[0]["verdict"], serde_json::json!({ "drop": true }));
    Ok(())
}

#[test]
fn only_counted() -> Result<()> {
    let watching = Injector::new(["run", "--json", "--monitor", "--net", "udp : reject icmp admin"])?;
    let finished = watching.command(&[victim::VISIT, "udp", "127.0.0.1", "9"]).expect(1)?;
    ensure!(finished.stdout.contains("recv ECONNREFUSED"), "{}", finished.stdout);
    assert_eq!(finished.report()?.rules[0].suppressed_by("monitored"), 1);
    Ok(())
}
