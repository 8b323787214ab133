//! Packets that come in to a network namespace of the target's own, and wait there, are doubled or damaged: as the
//! model says, once per direction, for nobody on the same bridge; refused where the namespace is not its own.

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Result, anyhow, ensure};
use injector_common::{
    chance::Bernoulli,
    delay::Delay,
    netem::{CORRUPTED, Netem},
    timing::Timing,
};
use injector_tests::{
    cgroup::Scratch,
    guest::Kernel,
    injector::{Finished, Injector},
    model::Flow,
    network::{Echo, Space, sh},
    patience::{LONG, until},
    residue::{Census, Exceptions},
    victim,
};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    IN, LOCAL, SEED, attach,
    delays::{COUNT, MILLISECOND, decided, timing},
    inhabited, numbers, paced, percent, sent,
};

/// A bridge here with two namespaces at it: `one` is the target's own, in `two` lives somebody else.
struct Bridge {
    one: Space,
    two: Space,
    target: Scratch,
    _neighbour: Scratch,
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 7, 0, 1));
const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 7, 0, 2));
const TWO: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 7, 0, 3));

impl Bridge {
    fn start() -> Result<Self> {
        sh("ip link add br-in type bridge")?;
        sh("ip addr add 10.7.0.1/24 dev br-in")?;
        sh("ip addr add fd00:7::1/64 dev br-in nodad")?;
        sh("ip link set br-in up")?;
        let join = |name: &str, last: u32| -> Result<Space> {
            let space = Space::new(name)?;
            sh(&format!("ip link add veth-{name} type veth peer name eth0 netns {name}"))?;
            sh(&format!("ip link set veth-{name} master br-in up"))?;
            sh(&format!("ip -n {name} addr add 10.7.0.{last}/24 dev eth0"))?;
            sh(&format!("ip -n {name} addr add fd00:7::{last}/64 dev eth0 nodad"))?;
            sh(&format!("ip -n {name} link set eth0 up"))?;
            Ok(space)
        };
        let (one, two) = (join("one", 2)?, join("two", 3)?);
        let (target, neighbour) = (Scratch::new()?, Scratch::new()?);
        // Killed with their cgroups.
        for (cgroup, space) in [(&target, &one), (&neighbour, &two)] {
            cgroup.spawn(space.command("sleep").arg("1000"))?;
        }
        // Until they have entered.
        thread::sleep(Duration::from_millis(300));
        // A device that has just come sends nothing before a kernel thread has seen to it (net/core/link_watch.c).
        for address in [ONE, TWO] {
            until("an answer over the bridge", LONG, || answers(address))?;
        }
        Ok(Self { one, two, target, _neighbour: neighbour })
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if let Err(error) = sh("ip link del br-in") {
            eprintln!("{error}");
        }
    }
}

/// Is a ping from here answered?
fn answers(address: IpAddr) -> Result<bool> {
    let mut ping = Command::new("ping");
    ping.args(["-c1", "-W1", &address.to_string()]).stdout(Stdio::null());
    Ok(ping.status()?.success())
}

/// Sends datagrams from here.
fn send(address: IpAddr, echo: &Echo, (count, gap): (usize, u32)) -> Result<Vec<u32>> {
    let mut command = paced(Command::new(victim::DATAGRAMS), address, echo.port, (count, gap));
    Ok(sent(command.spawn()?)?.received)
}

/// What was decided about packets in a direction: how late each was to be.
fn lates(finished: &Finished, direction: &str) -> Vec<Option<u64>> {
    let ours = finished.log.iter().filter(|line| line["packet"]["direction"] == direction);
    ours.map(|line| line["verdict"]["delay_ns"].as_u64()).collect()
}

/// Of both families, over a wire: never early, damaged so that the receiver's kernel sees it, doubled; and a
/// neighbour on the same bridge does not notice.
#[test]
fn what_comes_in_meets_what_the_model_says() -> Result<()> {
    let bridge = Bridge::start()?;
    let delay = Delay { repeat: percent(25), ..timing(30, 10).delay };
    let netem = Netem { timing: Timing { delay, ..timing(30, 10) }, ..Netem::NONE };
    let six = |text: &str| -> Result<IpAddr> { Ok(text.parse()?) };
    let (spoilt, doubled) = (bridge.one.enter(|| Echo::start(ONE))?, bridge.one.enter(|| Echo::start(ONE))?);
    let beside = bridge.two.enter(|| Echo::start(TWO))?;
    let rules = [
        format!("ingress udp dport {} : corrupt 30%", spoilt.port),
        format!("ingress udp dport {} : duplicate 100%", doubled.port),
        format!("ingress udp not dport {},{} : delay 30ms 10ms 25%", spoilt.port, doubled.port),
    ];
    let injector = attach(bridge.target.path(), &rules.each_ref().map(String::as_str))?;
    let mut late = Vec::new();
    for (here, there) in [(HERE, ONE), (six("fd00:7::1")?, six("fd00:7::2")?)] {
        let echo = bridge.one.enter(move || Echo::start(there))?;
        send(there, &echo, (COUNT as usize, 2))?;
        late.push((here, echo.take()));
    }
    send(ONE, &spoilt, (COUNT as usize, 2))?;
    send(ONE, &doubled, (10, 2))?;
    assert_eq!(send(TWO, &beside, (20, 2))?.len(), 20);
    let mut finished = injector.interrupt()?.expect(0)?;
    let report = finished.report()?;
    let rule = &report.rules[2];
    let told = ["delayed", "dropped"].map(|name| rule.packets[name]);
    // The neighbour's are not among them.
    assert_eq!((rule.matched, rule.fired, told), (200, 200, [200, 0]));

    let log = std::mem::take(&mut finished.log);
    for (here, arrived) in late {
        let ours = |line: &&Value| line["rule"] == 2 && line["packet"]["source"] == here.to_string();
        finished.log = log.iter().filter(ours).cloned().collect();
        let expected = Flow::new(SEED, 2, IN, here, 0).delays(&netem, None, COUNT);
        assert_eq!(lates(&finished, "ingress"), expected, "{here}");
        assert_eq!(arrived.len(), COUNT as usize);
        let decided = decided(&finished)?;
        for arrival in arrived {
            let (from, late) = decided[&(u64::from(arrival.number) + 1)];
            let due = from + late;
            assert!(arrival.time >= due, "{} came {} ns early", arrival.number, due - arrival.time);
        }
    }

    let netem = Netem { corrupt: Bernoulli::new(percent(30), 0), ..Netem::NONE };
    let verdicts = Flow::new(SEED, 0, IN, HERE, 0).verdicts(&netem, COUNT).into_iter().zip(0..);
    let whole = verdicts.filter(|(verdict, _)| verdict.effects & CORRUPTED == 0).map(|(_, number)| number);
    assert_eq!(numbers(&spoilt), whole.collect::<Vec<u32>>());
    assert_eq!((doubled.take().len(), report.rules[1].packets["duplicated"]), (20, 10));
    Ok(())
}

/// Over a wire and on lo: what a packet meets going out it does not meet coming in.
#[test]
fn once_in_each_direction() -> Result<()> {
    let bridge = Bridge::start()?;
    let far = Echo::start(HERE)?;
    let near = bridge.one.enter(|| Echo::start(LOCAL))?;
    let injector = attach(bridge.target.path(), &["both udp : delay 40ms"])?;
    for (address, echo) in [(HERE, &far), (LOCAL, &near)] {
        let program = bridge.one.command(victim::DATAGRAMS);
        let mut command = paced(program, address, echo.port, (10, 2));
        let back = sent(bridge.target.spawn(&mut command)?)?.received;
        assert_eq!(back.len(), 10, "{address}: only {back:?} came back");
    }
    let finished = injector.interrupt()?.expect(0)?;
    // The echo is no target's: what it sends back goes out unasked, and on lo both come in.
    assert_eq!(lates(&finished, "egress"), [Some(40 * MILLISECOND); 20]);
    assert_eq!(lates(&finished, "ingress"), [Some(40 * MILLISECOND); 30]);
    assert_eq!(finished.report()?.rules[0].matched, 50);
    Ok(())
}

/// What the kernel answers by itself is met by a rule that only loses as by one that delays; once, whether it meets a
/// socket then or not, and by the rules of each injector.
#[test]
fn what_is_only_lost_is_met_at_the_device() -> Result<()> {
    let bridge = Bridge::start()?;
    let echo = bridge.one.enter(|| Echo::start(ONE))?;
    let pings = || answers(ONE);
    for rule in
        ["both : loss 100%", "both : partition", "ingress icmp : loss 100%", "both : delay 1ms loss 100%"]
    {
        let injector = attach(bridge.target.path(), &[rule])?;
        ensure!(!pings()?, "a ping is answered under {rule}");
        let report = injector.interrupt()?.expect(0)?.report()?;
        ensure!(report.rules[0].packets["dropped"] > 0, "{rule}: {:?}", report.rules[0]);
        ensure!(pings()?, "after {rule}");
    }
    let first = attach(bridge.target.path(), &["ingress udp : loss 40%"])?;
    let second = attach(bridge.target.path(), &["ingress udp : loss 40%"])?;
    let back = send(ONE, &echo, (COUNT as usize, 2))?.len();
    assert_eq!(echo.take().len(), back);
    let [first, second] = [first, second].map(|injector| injector.interrupt()?.expect(0)?.report());
    let [first, second] = [first?.rules.remove(0), second?.rules.remove(0)];
    // The one that was attached last is asked first.
    let passed = second.matched - second.packets["dropped"];
    assert_eq!((second.matched, first.matched), (u64::from(COUNT), passed));
    assert_eq!(passed - first.packets["dropped"], back as u64);
    Ok(())
}

/// A change has it met at the device as well, and the last one takes the program away.
#[test]
fn a_change_has_packets_lost_at_the_device() -> Result<()> {
    let bridge = Bridge::start()?;
    let pings = || answers(ONE);
    let injector = Injector::new(["attach", "--net", "udp : loss 1%", "--cgroup"])?;
    let mut injector = injector.word(bridge.target.path()).start()?;
    let id = injector.begun()?;
    for (rule, answered) in
        [("ingress : partition", false), ("udp : loss 1%", true), ("both : partition", false)]
    {
        Injector::new(["change", &id, "--net", rule])?.expect(0)?;
        assert_eq!(pings()?, answered, "{rule}");
    }
    injector.interrupt()?.expect(0)?;
    ensure!(pings()?, "after the end");
    Ok(())
}

/// A stream passes whole, whatever happens to the packets of the wire one by one.
#[test]
fn a_stream_comes_in() -> Result<()> {
    const BYTES: u64 = 1 << 20;
    let bridge = Bridge::start()?;
    let listener = bridge.one.enter(|| Ok(TcpListener::bind("10.7.0.2:0")?))?;
    let port = listener.local_addr()?.port();
    let sink = thread::spawn(move || -> std::io::Result<u64> {
        std::io::copy(&mut listener.accept()?.0, &mut std::io::sink())
    });
    let rule = "ingress tcp : delay 2ms 1ms duplicate 5% loss 0.5% rate 200mbit";
    let injector = attach(bridge.target.path(), &[rule])?;
    let upload = format!("head -c {BYTES} /dev/zero > /dev/tcp/10.7.0.2/{port}");
    ensure!(Command::new("bash").args(["-c", &upload]).status()?.success());
    assert_eq!(sink.join().map_err(|_| anyhow!("a thread panicked"))??, BYTES);
    let rule = injector.interrupt()?.expect(0)?.report()?.rules.remove(0);
    let told = ["delayed", "duplicated"].map(|name| rule.packets[name]);
    assert!(rule.matched > BYTES / 1500 && told.iter().all(|&packets| packets > 0), "{rule:?}");
    assert!(rule.packets["bytes"] / rule.matched <= 1500, "{rule:?}");
    Ok(())
}

/// The second at the same target takes the packets first, and the first lets them pass.
#[test]
fn two_injectors_do_not_send_packets_to_and_fro() -> Result<()> {
    let bridge = Bridge::start()?;
    let echo = bridge.one.enter(|| Echo::start(ONE))?;
    let first = attach(bridge.target.path(), &["ingress udp : delay 10ms"])?;
    let second = attach(bridge.target.path(), &["ingress udp : delay 20ms"])?;
    assert_eq!(send(ONE, &echo, (10, 2))?.len(), 10);
    assert_eq!(echo.take().len(), 10);
    let (first, second) = (first.interrupt()?.expect(0)?, second.interrupt()?.expect(0)?);
    assert_eq!(lates(&second, "ingress"), [Some(20 * MILLISECOND); 10]);
    assert_eq!(lates(&first, "ingress"), []);
    Ok(())
}

/// A change brings it and takes it away, while the plan goes on.
#[test]
fn a_change_has_packets_wait() -> Result<()> {
    let bridge = Bridge::start()?;
    let echo = bridge.one.enter(|| Echo::start(ONE))?;
    let mut injector = Injector::new(["attach", "--json", "--net", "icmp : loss 1%", "--cgroup"])?
        .word(bridge.target.path())
        .logged()
        .start()?;
    let id = injector.begun()?;
    for rule in ["ingress udp : delay 10ms", "icmp : loss 2%"] {
        Injector::new(["change", &id, "--net", rule])?.expect(0)?;
        assert_eq!(send(ONE, &echo, (5, 2))?.len(), 5);
        assert_eq!(echo.take().len(), 5);
    }
    let finished = injector.interrupt()?.expect(0)?;
    assert_eq!(lates(&finished, "ingress"), [Some(10 * MILLISECOND); 5]);
    Ok(())
}

#[test]
fn a_shared_namespace_is_refused() -> Result<()> {
    let (bridge, here) = (Bridge::start()?, inhabited()?);
    let census = Census::take()?;
    let refused = |cgroup: &Scratch| -> Result<String> {
        let injector = Injector::new(["attach", "--net", "ingress : delay 10ms", "--cgroup"])?;
        Ok(injector.word(cgroup.path()).expect(2)?.stderr)
    };
    let told = refused(&here)?;
    ensure!(told.contains("`ingress : delay 10ms` delays or changes packets that come in"), "{told}");
    ensure!(told.contains("process 1 (") && told.contains("the cgroup of the pod"), "{told}");
    // And a command is where its injector is.
    let run = Injector::new(["run", "--net", "both : rate 1mbit"])?.command(&["true"]).expect(125)?.stderr;
    ensure!(run.contains("process 1 ("), "{run}");

    let outsider = Scratch::new()?;
    let child = outsider.spawn(bridge.one.command("sleep").arg("999"))?;
    thread::sleep(Duration::from_millis(300));
    let told = refused(&bridge.target)?;
    ensure!(told.contains(&format!("process {} (sleep)", child.id())), "{told}");
    census.gone(Exceptions::None)?;
    Ok(())
}

/// In order, what is under way arrives; and however it ends, nothing is left.
#[test]
fn nothing_is_left_of_it() -> Result<()> {
    let bridge = Bridge::start()?;
    let echo = bridge.one.enter(|| Echo::start(ONE))?;
    let census = Census::take()?;
    let injector = attach(bridge.target.path(), &["ingress udp : delay 2500ms"])?;
    assert_eq!(send(ONE, &echo, (10, 2))?.len(), 0);
    let finished = injector.interrupt()?.expect(0)?;
    assert!(!finished.stderr.contains("lost"), "{}", finished.stderr);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(echo.take().len(), 10);
    census.gone(Exceptions::None)?;

    let injector = attach(bridge.target.path(), &["both udp : delay 2500ms"])?;
    injector.signal(Signal::SIGKILL)?;
    assert_eq!(injector.finish()?.code, 137);
    census.gone(Exceptions::Named)?;
    assert_eq!(send(ONE, &echo, (10, 2))?.len(), 10);
    assert_eq!(census.left()?.is_empty(), Kernel::running()?.has_tcx());
    Injector::new(["recover"])?.expect(0)?;
    census.gone(Exceptions::None)?;
    Ok(())
}
