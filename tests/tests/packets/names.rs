//! Questions for names: answered in the server's stead, or lost, as the client itself is told; other names, other
//! messages and other processes are left alone.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    cgroup::{Scratch, spawn_in},
    injector::Injector,
    network::{NameServer, Space, sh},
    victim,
};
use serde_json::json;

use crate::{LOCAL, LOCAL6, attach, inhabited, refusals::steps};

/// Where systemd-resolved listens.
const STUB: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53));

/// What answers a question by the rules below, and by the server.
const NXDOMAIN: &str = "rcode 3";
const SERVFAIL: &str = "rcode 2";
const REFUSED: &str = "rcode 5";
const SERVED: &str = "rcode 0";
const NOTHING: &str = "recv EAGAIN";

fn asker(mut command: Command, server: IpAddr, port: u16, words: &[&str]) -> Command {
    command.args(["dns", &server.to_string(), &port.to_string()]).args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// What a question comes to.
fn ask_at(target: &Scratch, server: IpAddr, port: u16, words: &[&str]) -> Result<String> {
    let mut asker = asker(Command::new(victim::VISIT), server, port, words);
    steps(spawn_in(target.path(), &mut asker)?)?.pop().context("it said nothing")
}

fn ask(target: &Scratch, server: IpAddr, words: &[&str]) -> Result<String> {
    ask_at(target, server, 53, words)
}

#[test]
fn names_are_answered_as_told() -> Result<()> {
    let target = inhabited()?;
    let servers = [LOCAL, STUB, LOCAL6];
    let _running =
        servers.into_iter().map(|server| NameServer::start(server, 53)).collect::<Result<Vec<_>>>()?;
    let injector = attach(
        target.path(),
        &[
            "dns nxdomain for *.example.com,db-*.internal",
            "dns servfail for Example.COM.",
            "to ::/0 : dns refused for redis*",
            "dns timeout for slow.example",
        ],
    )?;
    for server in servers {
        let to_v6 = if server == LOCAL6 { REFUSED } else { SERVED };
        for (name, told) in [
            ("www.example.com", NXDOMAIN),
            ("a.b.EXAMPLE.com", NXDOMAIN),
            ("db-7.internal", NXDOMAIN),
            ("example.com", SERVFAIL),
            ("redis.prod.svc", to_v6),
            ("example.com.org", SERVED),
            ("db.internal", SERVED),
            ("slow.example.org", SERVED),
        ] {
            assert_eq!(ask(&target, server, &[name])?, told, "{name} of {server}");
        }
    }
    assert_eq!(ask(&target, STUB, &["slow.example"])?, NOTHING);
    let outside = asker(Command::new(victim::VISIT), LOCAL, 53, &["www.example.com"]).spawn()?;
    assert_eq!(steps(outside)?.pop().as_deref(), Some(SERVED));

    let finished = injector.interrupt()?.expect(0)?;
    let report = finished.report()?;
    let counts: Vec<_> = report.rules.iter().map(|rule| (rule.fired, rule.packets["answered"])).collect();
    assert_eq!(counts, [(9, 9), (3, 3), (1, 1), (1, 0)]);
    assert_eq!(report.rules.iter().map(|rule| rule.matched).sum::<u64>(), 14);
    let told: Vec<_> = [0, 3, 13].into_iter().map(|at| &finished.log[at]["verdict"]).collect();
    assert_eq!(told[0], &json!({ "drop": true, "answer": "nxdomain" }));
    assert_eq!(told[1], &json!({ "drop": true, "answer": "servfail" }));
    assert_eq!(told[2], &json!({ "drop": true }));
    Ok(())
}

/// EDNS does not matter; several questions, half a name and what is an answer are no question.
#[test]
fn other_messages() -> Result<()> {
    let target = inhabited()?;
    let _server = NameServer::start(LOCAL, 53)?;
    let _other = NameServer::start(LOCAL, 5353)?;
    let injector = attach(target.path(), &["dns nxdomain", "udp dport 5353 : dns refused"])?;
    for (shape, told) in [("edns", NXDOMAIN), ("two", SERVED), ("cut", SERVED), ("said", SERVED)] {
        assert_eq!(ask(&target, LOCAL, &["www.example.com", shape])?, told, "{shape}");
    }
    assert_eq!(ask(&target, LOCAL, &[""])?, NXDOMAIN, "the root");
    let longest = [["a"; 63].concat(), ["b"; 63].concat(), ["c"; 63].concat(), ["d"; 61].concat()].join(".");
    assert_eq!(ask(&target, LOCAL, &[&longest])?, NXDOMAIN, "the longest name");
    assert_eq!(ask_at(&target, LOCAL, 5353, &["a"])?, REFUSED);
    let rules = injector.interrupt()?.expect(0)?.report()?.rules;
    assert_eq!((rules[0].matched, rules[1].matched), (3, 1));
    Ok(())
}

/// To a server elsewhere that does not even run, with checksums that the device makes and with our own.
#[test]
fn names_of_a_server_elsewhere() -> Result<()> {
    let space = Space::new("asking")?;
    space.join("veth-asking", "10.7.0")?;
    sh("ip addr add fd07::1/64 dev veth-asking nodad")?;
    sh("ip -n asking addr add fd07::2/64 dev eth0 nodad")?;
    let target = Scratch::new()?;
    // Killed with the cgroup. Somebody has to live in the namespace when the injector comes.
    target.spawn(space.command("sleep").arg("1000"))?;
    let injector = attach(target.path(), &["dns servfail for *.example"])?;
    for _ in 0..2 {
        for server in ["10.7.0.1", "fd07::1"] {
            for (name, told) in [("a.example", SERVFAIL), ("a.test", "recv ECONNREFUSED")] {
                let mut asker = asker(space.command(victim::VISIT), server.parse()?, 53, &[name]);
                let said = steps(target.spawn(&mut asker)?)?.pop().context("it said nothing")?;
                assert_eq!(said, told, "{name} of {server}");
            }
        }
        space.without_offload()?;
    }
    assert_eq!(injector.interrupt()?.expect(0)?.report()?.rules[0].packets["answered"], 4);
    Ok(())
}

/// What is answered does not wait, whatever else the rules want; other questions do.
#[test]
fn an_answer_for_a_name_comes_before_a_delay() -> Result<()> {
    let target = inhabited()?;
    let _server = NameServer::start(LOCAL, 53)?;
    let injector = attach(target.path(), &["delay 50ms", "dns nxdomain for *.example"])?;
    assert_eq!(ask(&target, LOCAL, &["a.example"])?, NXDOMAIN);
    assert_eq!(ask(&target, LOCAL, &["a.test"])?, SERVED);
    let rules = injector.interrupt()?.expect(0)?.report()?.rules;
    assert_eq!((rules[0].packets["delayed"], rules[1].matched), (1, 1), "{rules:?}");
    Ok(())
}

/// curl, by the C library's resolver, which asks for both families at once.
#[test]
fn a_resolver_is_told() -> Result<()> {
    let folder = victim::folder()?;
    let file = folder.path().join("resolv.conf");
    std::fs::write(&file, "nameserver 127.0.0.1\noptions attempts:1\n")?;
    let script =
        format!("mount --bind {} /etc/resolv.conf && exec curl -sS http://www.example.com/", file.display());
    let injector = Injector::new(["run", "--json", "--net", "dns nxdomain for *.example.com"])?;
    let finished = injector.command(&["unshare", "--mount", "sh", "-c", &script]).expect(6)?;
    ensure!(finished.stderr.contains("Could not resolve host: www.example.com"), "{}", finished.stderr);
    assert_eq!(finished.report()?.rules[0].packets["answered"], 2);
    Ok(())
}
