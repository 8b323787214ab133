//! Targets in network namespaces of their own, as containers are: behind veth pairs and NAT.

use std::{
    net::{IpAddr, Ipv4Addr},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};
use injector_tests::{
    cgroup::Scratch,
    guest::Kernel,
    injector::Injector,
    network::{Echo, Space, sh},
    patience,
    residue::{Census, Exceptions},
    victim,
};

use crate::{OUT, Sent, arguments, attach, passing, sent};

/// Two containers behind NAT, and a server far away.
struct Containers {
    one: Space,
    two: Space,
    _far: Space,
    echo: Echo,
}

impl Containers {
    fn start() -> Result<Self> {
        let (one, two, far) = (Space::new("one")?, Space::new("two")?, Space::new("far")?);
        one.join("veth-one", "10.1.1")?;
        two.join("veth-two", "10.1.2")?;
        far.join("veth-far", "10.9.0")?;
        sh("sysctl -qw net.ipv4.ip_forward=1")?;
        sh("nft add table ip nat")?;
        sh("nft add chain ip nat after { type nat hook postrouting priority 100 ; }")?;
        sh("nft add rule ip nat after oifname veth-far masquerade")?;
        let echo = far.enter(|| Echo::start(FAR))?;
        Ok(Self { one, two, _far: far, echo })
    }

    fn send(&self, from: &Space, cgroup: &Scratch, count: usize) -> Result<Sent> {
        let command = from.command(victim::DATAGRAMS);
        sent(cgroup.spawn(&mut arguments(command, FAR, self.echo.port, count))?)
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        if let Err(error) = sh("nft delete table ip nat") {
            eprintln!("{error}");
        }
    }
}

const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 0, 2));

#[test]
fn a_container_behind_nat_is_hit_and_its_neighbour_is_not() -> Result<()> {
    let containers = Containers::start()?;
    let census = Census::take()?;
    let (target, neighbour) = (Scratch::new()?, Scratch::new()?);
    assert_eq!(containers.send(&containers.one, &target, 10)?.received.len(), 10);
    let senders = containers.echo.take();
    ensure!(
        senders.iter().all(|arrival| arrival.sender.ip() == IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1))),
        "no NAT: {senders:?}"
    );

    let rule = format!("udp to 10.9.0.2 dport {} : loss 30%", containers.echo.port);
    // Somebody has to live in the namespace when the injector comes, as in a container.
    let mut holder = target.spawn(containers.one.command("sleep").arg("100"))?;
    let injector = attach(target.path(), &[&rule])?;
    let hit = containers.send(&containers.one, &target, 100)?;
    let spared = containers.send(&containers.two, &neighbour, 100)?;
    let report = injector.interrupt()?.expect(0)?.report()?;
    assert_eq!((hit.refused, hit.received), (0, passing(0, 30, 100, OUT, FAR)));
    assert_eq!((spared.refused, spared.received.len()), (0, 100));
    assert_eq!(report.rules[0].matched, 100);

    // Coming in, through the NAT as well.
    let injector = attach(target.path(), &["ingress udp from 10.9.0.2 : partition"])?;
    containers.echo.take();
    let hit = containers.send(&containers.one, &target, 20)?;
    let spared = containers.send(&containers.two, &neighbour, 20)?;
    assert_eq!((hit.received.len(), spared.received.len()), (0, 20));
    assert_eq!(containers.echo.take().len(), 40);
    injector.interrupt()?.expect(0)?;
    assert_eq!(containers.send(&containers.one, &target, 20)?.received.len(), 20);
    holder.kill()?;
    holder.wait()?;
    drop((target, neighbour));
    census.gone(Exceptions::None)?;
    Ok(())
}

/// Devices and namespaces that were not there when the injector began.
#[test]
fn later_devices_and_namespaces() -> Result<()> {
    let containers = Containers::start()?;
    let target = Scratch::new()?;
    let injector = attach(target.path(), &["udp : partition"])?;
    // A namespace in which the target did not live before. The injector looks twice a second.
    let mut holder = target.spawn(containers.one.command("sleep").arg("100"))?;
    thread::sleep(Duration::from_secs(2));
    assert_eq!(containers.send(&containers.one, &target, 10)?.received, Vec::<u32>::new());
    // A device that is new, with the only way.
    sh("ip link del veth-one")?;
    containers.one.join("veth-one", "10.1.3")?;
    thread::sleep(Duration::from_secs(2));
    assert_eq!(containers.send(&containers.one, &target, 10)?.received, Vec::<u32>::new());
    injector.interrupt()?.expect(0)?;
    assert_eq!(containers.send(&containers.one, &target, 10)?.received.len(), 10);
    holder.kill()?;
    holder.wait()?;
    Ok(())
}

/// Nothing is attached where a device cannot be covered, and the hint says what to do.
#[test]
fn a_device_in_the_way_is_refused() -> Result<()> {
    let (containers, census) = (Containers::start()?, Census::take()?);
    let target = Scratch::new()?;
    let mut holder = target.spawn(containers.one.command("sleep").arg("100"))?;
    containers.one.enter(|| sh("tc qdisc add dev eth0 ingress"))?;
    let attach = || {
        Injector::new(["attach", "--for", "1s", "--net", "loss 1%", "--cgroup"])
            .map(|injector| injector.word(target.path()))
    };
    let code = if Kernel::running()?.has_tcx() { 0 } else { 3 };
    let told = attach()?.expect(code)?.stderr;
    ensure!((code == 0) != told.contains("tc qdisc del dev eth0 ingress"), "{told}");
    containers.one.enter(|| sh("tc qdisc del dev eth0 ingress"))?;
    attach()?.expect(0)?;
    holder.kill()?;
    holder.wait()?;
    drop(target);
    census.gone(Exceptions::None)?;
    Ok(())
}

/// Packets that wait when the last process has left their network namespace arrive, and make room for others.
#[test]
fn who_leaves_a_namespace_leaves_no_packets_behind() -> Result<()> {
    let all = Containers::start()?;
    let target = Scratch::new()?;
    let injector = attach(target.path(), &["udp : delay 5s limit 5"])?;
    for (space, so_far) in [(&all.one, 5), (&all.two, 10)] {
        // The namespace is the target's as soon as somebody lives there.
        let mut resident = target.spawn(space.command("sleep").arg("3"))?;
        thread::sleep(Duration::from_secs(1));
        let mut sender = space.command("timeout");
        let words = ["1", victim::DATAGRAMS, &FAR.to_string(), &all.echo.port.to_string(), "5", "0"];
        target.spawn(sender.args(words))?.wait()?;
        resident.wait()?;
        patience::until("the packets of who has left", patience::LONG, || Ok(all.echo.arrived() == so_far))?;
    }
    let rule = injector.interrupt()?.expect(0)?.report()?.rules.remove(0);
    assert_eq!(["delayed", "overflowed"].map(|name| rule.packets[name]), [10, 0], "{rule:?}");
    Ok(())
}
