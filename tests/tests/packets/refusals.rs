//! Connections that fail, as the client itself is told of it.

use std::{
    fs,
    net::IpAddr,
    process::{Child, Command, Stdio},
};

use anyhow::{Result, ensure};
use injector_tests::{
    cgroup::{Scratch, spawn_in},
    injector::Injector,
    network::Http,
    patience,
    residue::{Census, Exceptions},
    victim,
};
use nix::sys::signal::Signal;

use crate::{LOCAL, LOCAL6, attach, inhabited};

/// A visitor that is to go to `port`.
pub(crate) fn visitor(mut command: Command, how: &str, address: IpAddr, port: u16) -> Command {
    command.args([how, &address.to_string(), &port.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// What a visitor says, each step without its time.
pub(crate) fn steps(child: Child) -> Result<Vec<String>> {
    let output = child.wait_with_output()?;
    let text = String::from_utf8(output.stdout)?;
    let words = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(text.lines().map(words).collect())
}

pub(crate) fn visit(target: &Scratch, how: &str, address: IpAddr, port: u16) -> Result<Vec<String>> {
    steps(spawn_in(target.path(), &mut visitor(Command::new(victim::VISIT), how, address, port))?)
}

/// The error is the one of the rule, at once, for TCP and for UDP, for the target and for nobody else.
#[test]
fn connect_fails_as_told() -> Result<()> {
    let census = Census::take()?;
    for (address, network) in [(LOCAL, "127.0.0.0/8"), (LOCAL6, "::/0")] {
        let (target, http) = (inhabited()?, Http::start(address, 10)?);
        let tcp = format!("tcp to {network} dport {} : connect=EHOSTUNREACH", http.port);
        let injector =
            attach(target.path(), &[&tcp, "udp : connect=ETIMEDOUT", "to 10.0.0.0/8 : connect=EPERM"])?;
        assert_eq!(visit(&target, "tcp", address, http.port)?, ["connect EHOSTUNREACH"]);
        assert_eq!(visit(&target, "udp", address, 9)?, ["connect ETIMEDOUT"]);
        assert_eq!(visit(&target, "tcp", address, 9)?, ["connect ECONNREFUSED"], "nobody is there");
        let outside = visitor(Command::new(victim::VISIT), "tcp", address, http.port).spawn()?;
        assert_eq!(steps(outside)?[0], "connect ok");
        let finished = injector.interrupt()?.expect(0)?;
        let report = finished.report()?;
        let counts: Vec<_> = report.rules.iter().map(|rule| (rule.matched, rule.fired)).collect();
        assert_eq!(counts, [(1, 1), (1, 1), (0, 0)]);
        let told = &finished.log[0];
        assert_eq!(
            (&told["verdict"]["errno"], &told["peer_port"]),
            (&"EHOSTUNREACH".into(), &http.port.into())
        );
        assert_eq!((&told["comm"], &told["peer"]), (&"visit".into(), &address.to_string().into()));
        ensure!(told["pid"].as_u64() > Some(1) && told["cgroup"].as_u64() > Some(1), "{told:#}");
        assert_eq!(visit(&target, "tcp", address, http.port)?[0], "connect ok", "after the end");
    }
    census.gone(Exceptions::None)?;
    Ok(())
}

/// A socket of IPv6 that talks to IPv4, several rules, and none that only counts.
#[test]
fn connections_by_several_rules() -> Result<()> {
    let target = inhabited()?;
    let mapped: IpAddr = "::ffff:127.0.0.1".parse()?;
    let injector = attach(target.path(), &["to 127.0.0.1 : connect=EACCES", "connect=EIO"])?;
    assert_eq!(visit(&target, "tcp", mapped, 9)?, ["connect EACCES"]);
    let report = injector.interrupt()?.expect(0)?.report()?;
    assert_eq!((report.rules[1].matched, report.rules[1].suppressed_by("overruled")), (1, 1));

    let watching = Injector::new(["run", "--json", "--monitor", "--net", "tcp : connect=EIO"])?;
    let finished = watching.command(&[victim::VISIT, "tcp", "127.0.0.1", "9"]).expect(1)?;
    ensure!(finished.stdout.contains("ECONNREFUSED"), "{}", finished.stdout);
    assert_eq!(finished.report()?.rules[0].suppressed_by("monitored"), 1);
    Ok(())
}

#[test]
fn curl_is_told() -> Result<()> {
    let rule = "to 127.0.0.0/8 port 443,8080 : connect=ECONNREFUSED";
    let words = ["curl", "-sS", "http://127.0.0.1:8080/"];
    let finished = Injector::new(["run", "--net", rule])?.command(&words).expect(7)?;
    ensure!(finished.stderr.contains("curl: (7)"), "{}", finished.stderr);
    Ok(())
}

/// SIGKILL takes the hooks along.
#[test]
fn connections_after_a_kill() -> Result<()> {
    let census = Census::take()?;
    let target = inhabited()?;
    let injector = attach(target.path(), &["tcp : connect=EIO"])?;
    assert_eq!(visit(&target, "tcp", LOCAL, 9)?, ["connect EIO"]);
    injector.signal(Signal::SIGKILL)?;
    assert_eq!(injector.finish()?.code, 137);
    assert_eq!(visit(&target, "tcp", LOCAL, 9)?, ["connect ECONNREFUSED"]);
    drop(target);
    census.gone(Exceptions::None)?;
    Ok(())
}

/// A cgroup that was made anew at the path of a target's is a stranger's, where the target is meant `--once`.
#[test]
fn a_change_does_not_reach_who_came_in_a_target_s_place() -> Result<()> {
    let (target, other, http) = (Scratch::new()?, inhabited()?, Http::start(LOCAL, 10)?);
    let injector =
        Injector::new(["attach", "--once", "--net", "udp : loss 1%", "--cgroup"])?.word(target.path());
    let mut injector = injector.word("--cgroup").word(other.path()).start()?;
    let id = injector.begun()?;
    fs::remove_dir(target.path())?;
    fs::create_dir(target.path())?;
    Injector::new(["change", &id, "--net", "tcp : connect=EIO", "--net", "ingress : partition"])?
        .expect(0)?;
    assert_eq!(visit(&other, "tcp", LOCAL, http.port)?, ["connect EIO"]);
    assert_eq!(visit(&target, "tcp", LOCAL, http.port)?[0], "connect ok");
    // That it went is said at once, and once.
    let said = || injector.stderr().matches("went away").count();
    patience::until("a word on the target", patience::LONG, || Ok(said() == 1))?;
    let told = injector.interrupt()?.expect(0)?.stderr;
    assert_eq!(told.matches("went away").count(), 1, "{told}");
    Ok(())
}
