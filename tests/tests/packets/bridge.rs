//! Who is late and who is not: three containers on a bridge, one of which is the target, and two processes of one
//! target that talk over the loopback device.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use injector_tests::{
    cgroup::Scratch,
    network::{Space, sh},
    residue::{Census, Exceptions},
};

use crate::{attach, inhabited};

/// A bridge with three containers at it, as a container engine makes it.
struct Bridge {
    one: Space,
    two: Space,
    three: Space,
}

impl Bridge {
    fn start() -> Result<Self> {
        sh("ip link add bridge type bridge")?;
        sh("ip link set bridge up")?;
        let [one, two, three] = [1, 2, 3].map(|number| -> Result<Space> {
            let space = Space::new(&format!("box-{number}"))?;
            sh(&format!("ip link add port-{number} type veth peer name eth0 netns box-{number}"))?;
            sh(&format!("ip link set port-{number} master bridge up"))?;
            sh(&format!("ip -n box-{number} addr add 10.7.0.{number}/24 dev eth0"))?;
            sh(&format!("ip -n box-{number} link set eth0 up"))?;
            Ok(space)
        });
        Ok(Self { one: one?, two: two?, three: three? })
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if let Err(error) = sh("ip link del bridge") {
            eprintln!("{error}");
        }
    }
}

/// The shortest and the longest of ten round trips, in milliseconds; none may be lost.
fn ping(from: &Space, cgroup: &Scratch, to: &str) -> Result<(f64, f64)> {
    let mut ping = from.command("ping");
    ping.args(["-q", "-c", "10", "-i", "0.05", "-W", "10", to]).stdout(Stdio::piped());
    let output = cgroup.spawn(&mut ping)?.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(said.contains(" 10 received"), "{said}");
    // rtt min/avg/max/mdev = 0.313/1.355/16.222/2.644 ms
    let figures = said.split_once("mdev = ").with_context(|| said.clone())?.1.split('/');
    let figures: Vec<f64> = figures.take(3).map(str::parse).collect::<Result<_, _>>()?;
    Ok((figures[0], figures[2]))
}

const DELAY: f64 = 500.0;

#[test]
fn a_third_container_is_not_late() -> Result<()> {
    let bridge = Bridge::start()?;
    let (target, others) = (Scratch::new()?, Scratch::new()?);
    let mut holder = target.spawn(bridge.one.command("sleep").arg("100"))?;
    let census = Census::take()?;
    let usual = ping(&bridge.three, &others, "10.7.0.2")?;
    let injector = attach(target.path(), &["delay 500ms"])?;
    let late = ping(&bridge.one, &target, "10.7.0.2")?;
    let third = ping(&bridge.three, &others, "10.7.0.2")?;
    // Back the other way; and to the target's own address, where the kernel answers, in nobody's name.
    let back = ping(&bridge.two, &others, "10.7.0.3")?;
    let to_target = ping(&bridge.three, &others, "10.7.0.1")?;
    let report = injector.interrupt()?.expect(0)?.report()?;
    eprintln!("usual {usual:?}, target {late:?}, third {third:?}, back {back:?}, to target {to_target:?}");
    // Only the request is the target's own.
    ensure!((DELAY..2.0 * DELAY).contains(&late.0), "{late:?}");
    for (least, _) in [usual, third, back, to_target] {
        ensure!(least < DELAY / 10.0, "{least} ms");
    }
    // None but the target's packets was even looked at.
    assert_eq!((report.rules[0].matched, report.rules[0].fired), (10, 10));
    let after = ping(&bridge.one, &target, "10.7.0.2")?;
    ensure!(after.0 < DELAY / 10.0, "{after:?}");
    census.gone(Exceptions::None)?;
    holder.kill()?;
    holder.wait()?;
    Ok(())
}

/// Two processes; prints the shortest of ten round trips, in milliseconds.
const TALK: &str = "
import os, socket, time
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(('127.0.0.1', 5007))
child = os.fork()
if not child:
    while True: server.sendto(*server.recvfrom(9))
client, times = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), []
client.connect(('127.0.0.1', 5007))
for _ in range(10):
    start = time.monotonic()
    client.send(b'x')
    client.recv(9)
    times.append(time.monotonic() - start)
os.kill(child, 9)
print(min(times) * 1000)
";

#[test]
fn loopback_within_a_target_is_late_once_each_way() -> Result<()> {
    let target = inhabited()?;
    let injector = attach(target.path(), &["udp port 5007 : delay 200ms"])?;
    let mut talk = Command::new("python3");
    let talk = target.spawn(talk.args(["-S", "-c", TALK]).stdout(Stdio::piped()))?.wait_with_output()?;
    let least: f64 = String::from_utf8_lossy(&talk.stdout).trim().parse()?;
    let report = injector.interrupt()?.expect(0)?.report()?;
    eprintln!("{least} ms there and back");
    ensure!((400.0..600.0).contains(&least), "{least} ms there and back");
    assert_eq!((report.rules[0].matched, report.rules[0].fired), (20, 20));
    assert_eq!(report.rules[0].packets["delayed"], 20);
    Ok(())
}
