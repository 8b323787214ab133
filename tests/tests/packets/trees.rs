//! Process trees in a cgroup that they share with others: sockets of before and new ones, both directions; the
//! neighbour in the same cgroup loses nothing.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    cgroup::{Scratch, spawn_in},
    injector::{Injector, Running},
    network::Echo,
    patience, victim,
};

use crate::{IN, LOCAL, LOCAL6, OUT, SEED, Sent, passing, send_in, sender, sent};

/// How long is waited for what does not come.
pub(crate) const SHORT: Duration = Duration::from_millis(700);
/// And for what does.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// A way to start a sender of so many datagrams to a port of an address, in a cgroup.
type Start = fn(&Path, IpAddr, u16, usize) -> Result<Child>;

/// An injector with rules on the packets of these process trees.
fn attach(trees: &[&Child], rules: &[&str]) -> Result<Running> {
    let mut injector = Injector::new(["attach", "--json", "--seed"])?.word(SEED.to_string()).logged();
    for tree in trees {
        injector = injector.word("--pid").word(tree.id().to_string());
    }
    for rule in rules {
        injector = injector.words(["--net", rule]);
    }
    let mut injector = injector.start()?;
    injector.begun()?;
    Ok(injector)
}

/// A sender that has its socket already, and waits for the end of its standard input.
fn held(cgroup: &Path, address: IpAddr, port: u16, count: usize) -> Result<Child> {
    let child = spawn_in(cgroup, sender(address, port, count).arg("held").stdin(Stdio::piped()))?;
    let has_socket = || {
        let open = fs::read_dir(format!("/proc/{}/fd", child.id()))?;
        let targets = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        Ok(targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count() == 1)
    };
    patience::until("a socket", Duration::from_secs(20), has_socket)?;
    Ok(child)
}

/// A shell whose child sends, when its standard input ends.
fn later(cgroup: &Path, address: IpAddr, port: u16, count: usize) -> Result<Child> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("read end; {} {address} {port} {count} 2; :", victim::DATAGRAMS));
    spawn_in(cgroup, shell.stdin(Stdio::piped()).stdout(Stdio::piped()))
}

fn go(mut child: Child) -> Result<Sent> {
    drop(child.stdin.take());
    sent(child)
}

#[test]
fn datagrams_of_old_and_new_sockets() -> Result<()> {
    const COUNT: u32 = 60;
    for address in [LOCAL, LOCAL6] {
        let (shared, echo) = (Scratch::new()?, Echo::start(address)?);
        let sender = |start: Start| start(shared.path(), address, echo.port, COUNT as usize);
        let (old, new, neighbour) = (sender(held)?, sender(later)?, sender(held)?);
        let rules = ["egress", "ingress"].map(|way| format!("{way} udp port {} : loss 30%", echo.port));
        let injector = attach(&[&old, &new], &rules.each_ref().map(String::as_str))?;

        let old = go(old)?;
        let out = passing(0, 30, COUNT, OUT, address);
        let back = passing(1, 30, u32::try_from(out.len())?, IN, address);
        let expected: Vec<u32> = back.iter().map(|&nth| out[nth as usize]).collect();
        assert_eq!((old.refused, &old.received), (0, &expected), "{address}");

        let (mut new, mut stranger) = (new, sender(held)?);
        let waiting = [new.stdin.take(), stranger.stdin.take()];
        drop(waiting);
        let others = [go(neighbour)?, sent(stranger)?];
        let new = sent(new)?;
        ensure!(new.received.len() < 50, "{address}: a new socket lost nothing: {new:?}");
        for one in others {
            assert_eq!((one.refused, one.received.len()), (0, COUNT as usize), "{address}");
        }
        let rules = injector.interrupt()?.expect(0)?.report()?.rules;
        let (sent, came) = (u64::from(2 * COUNT), rules[1].matched - rules[1].fired);
        assert_eq!((rules[0].matched, rules[1].matched), (sent, sent - rules[0].fired), "{address}");
        assert_eq!(came, (old.received.len() + new.received.len()) as u64, "{address}");
    }
    Ok(())
}

/// A server of TCP, in a process of its own.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(cgroup: &Path, address: IpAddr) -> Result<Self> {
        let mut command = Command::new(victim::SERVE);
        let mut process = spawn_in(cgroup, command.arg(address.to_string()).stdout(Stdio::piped()))?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
        Ok(Self { process, address: SocketAddr::new(address, line.trim().parse()?) })
    }

    /// A connection, if there is one within `limit`.
    pub(crate) fn connect(&self, limit: Duration) -> Option<TcpStream> {
        TcpStream::connect_timeout(&self.address, limit).ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How long an answer takes, if one comes within `limit`.
pub(crate) fn answer(connection: &mut TcpStream, limit: Duration) -> Option<Duration> {
    let begun = Instant::now();
    connection.set_read_timeout(Some(limit)).ok()?;
    connection.write_all(b"?").ok()?;
    connection.read_exact(&mut [0]).ok()?;
    Some(begun.elapsed())
}

#[test]
fn connections_of_before_and_accepted_ones() -> Result<()> {
    for (address, ways) in [(LOCAL, 2), (LOCAL6, 1)] {
        let shared = Scratch::new()?;
        let (target, neighbour) =
            (Server::start(shared.path(), address)?, Server::start(shared.path(), address)?);
        // Data only, so that connections come about.
        for rule in &["egress tcp flags psh : partition", "ingress tcp flags psh : partition"][..ways] {
            let mut before = target.connect(LONG).context("no connection before the rule")?;
            let mut others = neighbour.connect(LONG).context("no connection to the neighbour")?;
            ensure!(answer(&mut before, LONG).is_some(), "{address}: no answer before the rule");
            let injector = attach(&[&target.process], &[rule])?;
            let mut accepted = target.connect(LONG).context("no connection under the rule")?;
            ensure!(answer(&mut before, SHORT).is_none(), "{rule} {address}: an old connection lost nothing");
            ensure!(answer(&mut accepted, SHORT).is_none(), "{rule} {address}: a new one lost nothing");
            ensure!(answer(&mut others, LONG).is_some(), "{rule} {address}: the neighbour lost something");
            injector.interrupt()?.expect(0)?;
        }
        // The listener's own packets: SYN and ACK going out, which belong to no full socket, and SYN coming in.
        for rule in
            &["egress tcp flags syn/syn : partition", "ingress tcp flags syn/syn,ack : partition"][..ways]
        {
            let injector = attach(&[&target.process], &[rule])?;
            ensure!(target.connect(SHORT).is_none(), "{rule} {address}: connected");
            ensure!(neighbour.connect(LONG).is_some(), "{rule} {address}: the neighbour was not reached");
            injector.interrupt()?.expect(0)?;
        }
    }
    Ok(())
}

#[test]
fn answers_that_are_late() -> Result<()> {
    const LATE: Duration = Duration::from_millis(600);
    let shared = Scratch::new()?;
    let (target, neighbour) = (Server::start(shared.path(), LOCAL)?, Server::start(shared.path(), LOCAL)?);
    let mut before = target.connect(LONG).context("no connection")?;
    let mut others = neighbour.connect(LONG).context("no connection to the neighbour")?;
    let injector = attach(&[&target.process], &["tcp flags psh : delay 600ms"])?;
    for connection in [&mut before, &mut target.connect(LONG).context("no connection under the rule")?] {
        let took = answer(connection, LONG).context("no answer")?;
        ensure!(took >= LATE, "an answer came after {took:?}");
    }
    let took = answer(&mut others, LONG).context("no answer from the neighbour")?;
    ensure!(took < LATE, "the neighbour's answer came after {took:?}");
    injector.interrupt()?.expect(0)?;
    Ok(())
}

/// Whose process and whose cgroup are both targets is asked about once.
#[test]
fn a_tree_in_a_target_cgroup() -> Result<()> {
    let (target, other, echo) = (Scratch::new()?, Scratch::new()?, Echo::start(LOCAL)?);
    let (inside, outside) =
        (held(target.path(), LOCAL, echo.port, 20)?, held(other.path(), LOCAL, echo.port, 20)?);
    let rule = format!("both udp port {} : partition", echo.port);
    let injector = Injector::new(["attach", "--json", "--monitor", "--cgroup"])?.word(target.path());
    let (one, two) = (inside.id().to_string(), outside.id().to_string());
    let mut injector = injector.words(["--pid", &one, "--pid", &two, "--net", &rule]).start()?;
    injector.begun()?;
    for sent in [go(inside)?, go(outside)?, send_in(target.path(), LOCAL, echo.port, 20)?] {
        assert_eq!(sent.received.len(), 20);
    }
    assert_eq!(injector.interrupt()?.expect(0)?.report()?.rules[0].matched, 3 * 20 * 2);
    Ok(())
}

/// Rules on packets that come to a live plan of a process, go, and come again.
#[test]
fn a_change_to_packets_and_back() -> Result<()> {
    let (shared, echo) = (Scratch::new()?, Echo::start(LOCAL)?);
    let (one, two) =
        (held(shared.path(), LOCAL, echo.port, 20)?, later(shared.path(), LOCAL, echo.port, 20)?);
    let (first, second) = (one.id().to_string(), two.id().to_string());
    let call = "inject=write:error=EIO:when=65535";
    let mut injector =
        Injector::new(["attach", "--json", "--pid", &first, "--pid", &second, "-e", call])?.start()?;
    let plan = injector.begun()?;
    let packets = format!("udp port {} : partition", echo.port);
    for words in [["--net", &packets], ["-e", call], ["--net", &packets]] {
        Injector::new(["change", &plan])?.words(words).expect(0)?;
    }
    let lost = |sent: Sent| assert_eq!((sent.refused, sent.received.len()), (0, 0));
    lost(go(one)?);
    // Before the last target has ended, and the plan with it.
    assert_eq!(send_in(shared.path(), LOCAL, echo.port, 20)?.received, (0..20).collect::<Vec<_>>());
    lost(go(two)?);
    injector.interrupt()?.expect(0)?;
    Ok(())
}

/// A connection is refused once, whether its process is a target or its cgroup is one, too.
#[test]
fn connections_of_a_tree() -> Result<()> {
    let shared = Scratch::new()?;
    let server = Server::start(shared.path(), LOCAL)?;
    let (ip, port) = (server.address.ip().to_string(), server.address.port().to_string());
    let visits = format!("read end; {0} tcp {ip} {port}; {0} tcp {ip} {port}; :", victim::VISIT);
    for with_cgroup in [false, true] {
        let visitor = || {
            let mut shell = Command::new("sh");
            spawn_in(shared.path(), shell.args(["-c", &visits]).stdin(Stdio::piped()).stdout(Stdio::piped()))
        };
        let (target, neighbour) = (visitor()?, visitor()?);
        let (pid, rule) = (target.id().to_string(), format!("tcp port {port} : connect=EHOSTUNREACH"));
        let mut injector = Injector::new(["attach", "--json", "--pid", &pid, "--net", &rule])?;
        if with_cgroup {
            injector = injector.word("--cgroup").word(shared.path());
        }
        let mut injector = injector.start()?;
        injector.begun()?;
        let said = |mut child: Child| -> Result<usize> {
            drop(child.stdin.take());
            let output = String::from_utf8(child.wait_with_output()?.stdout)?;
            Ok(output.matches("connect EHOSTUNREACH").count())
        };
        let refused = if with_cgroup { 4 } else { 2 };
        assert_eq!((said(target)?, said(neighbour)?), (2, refused - 2));
        let rules = injector.interrupt()?.expect(0)?.report()?.rules;
        assert_eq!((rules[0].matched, rules[0].fired), (refused as u64, refused as u64));
    }
    Ok(())
}
