//! Devices without a header of Ethernet, as tunnels have them: no packet gets from there into the delay line.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Result, ensure};
use injector_tests::{
    cgroup::Scratch,
    network::{Space, sh},
    victim,
};

use crate::{arguments, attach, sent};

const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 7, 0, 2));

/// A rule that wants time counts what it cannot have, and all others act.
#[test]
fn what_wants_time_passes_a_tunnel_and_nothing_else_does() -> Result<()> {
    // Where it is no module, it is there.
    let _ = sh("modprobe tun");
    let space = Space::new("tunnel")?;
    for words in ["tuntap add dev tun0 mode tun", "addr add 10.7.0.1/24 dev tun0", "link set tun0 up"] {
        sh(&format!("ip -n tunnel {words}"))?;
    }
    let target = Scratch::new()?;
    // Killed with the cgroup.
    target.spawn(space.command("sleep").arg("100"))?;
    let rules = ["udp : delay 20ms", "udp dport 9 : partition", "tcp : loss 100%"];
    let injector = attach(target.path(), &rules)?;
    for port in [9, 10] {
        sent(target.spawn(&mut arguments(space.command(victim::DATAGRAMS), FAR, port, 10))?)?;
    }
    let mut client = space.command("timeout");
    target.spawn(client.args(["1", victim::VISIT, "tcp", &FAR.to_string(), "80"]))?.wait()?;

    let rules = injector.interrupt()?.expect(0)?.report()?.rules;
    let told = |n: usize| (rules[n].matched, rules[n].fired, rules[n].suppressed_by("no-delay-line"));
    assert_eq!((told(0), told(1)), ((20, 0, 20), (10, 10, 0)));
    ensure!(rules[2].fired > 0 && rules[2].fired == rules[2].matched, "{:?}", rules[2]);
    Ok(())
}
