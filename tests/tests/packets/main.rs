//! Packets: lost, doubled and damaged by netem's models, refused, or lost altogether, for the target and for nobody
//! else; chosen by their headers; in any network namespace, behind NAT, on devices that come later.

mod bridge;
mod choices;
mod containers;
mod death;
mod delays;
mod elsewhere;
mod inbound;
mod leftovers;
mod losses;
mod models;
mod names;
mod netem;
mod padding;
mod pauses;
mod refusals;
mod rejects;
mod returns;
mod session;
mod trees;
mod tunnel;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
use injector_common::{
    loss::Loss,
    netem::{LOST, Netem},
    packet::{EGRESS, INGRESS},
};
use injector_tests::{
    cgroup::{Scratch, spawn_in},
    injector::{Injector, Running},
    model::Flow,
    network::Echo,
    victim,
};

const SEED: u64 = 4711;
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOCAL6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// What a sender of datagrams saw.
#[derive(Debug)]
struct Sent {
    /// Datagrams that the kernel did not even take.
    refused: usize,
    /// Numbers of the echoes that came back.
    received: Vec<u32>,
}

/// Reads the line that the victim prints.
fn sent(child: Child) -> Result<Sent> {
    let output = child.wait_with_output()?;
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    let (head, numbers) = line.split_once(':').with_context(|| format!("the sender said: {line}"))?;
    let refused = head.split(' ').nth(3).context("no count")?.parse()?;
    let received = numbers.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    Ok(Sent { refused, received })
}

/// A sender of `count` datagrams, to be given to a cgroup.
fn sender(address: IpAddr, port: u16, count: usize) -> Command {
    arguments(Command::new(victim::DATAGRAMS), address, port, count)
}

fn arguments(command: Command, address: IpAddr, port: u16, count: usize) -> Command {
    paced(command, address, port, (count, 2))
}

/// A sender that waits so many milliseconds after each datagram.
fn paced(mut command: Command, address: IpAddr, port: u16, (count, gap): (usize, u32)) -> Command {
    command.args([address.to_string(), port.to_string(), count.to_string(), gap.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

fn send_in(cgroup: &Path, address: IpAddr, port: u16, count: usize) -> Result<Sent> {
    sent(spawn_in(cgroup, &mut sender(address, port, count))?)
}

/// A cgroup in which somebody lives already, in this network namespace: what the injector covers before
/// it says that it has begun.
fn inhabited() -> Result<Scratch> {
    let target = Scratch::new()?;
    // Killed with the cgroup; whoever waits for it is the guest's init, in the end.
    target.spawn(Command::new("sleep").arg("1000"))?;
    Ok(target)
}

/// An injector with rules on packets, which act when this returns.
fn attach(cgroup: &Path, rules: &[&str]) -> Result<Running> {
    let mut injector = Injector::new(["attach", "--json", "--seed"])?.word(SEED.to_string()).logged();
    injector = injector.word("--cgroup").word(cgroup);
    for rule in rules {
        injector = injector.words(["--net", rule]);
    }
    let mut injector = injector.start()?;
    injector.begun()?;
    Ok(injector)
}

/// UDP on its way out, and in, as a flow is told.
const OUT: (u32, u8) = (EGRESS, 17);
const IN: (u32, u8) = (INGRESS, 17);

/// A share of 2^32.
const fn percent(value: u64) -> u64 {
    ((value << 32) + 50) / 100
}

/// The numbers, from 0, that a rule lets through: of the first flow that it means, each lost with `share`
/// percent.
fn passing(rule: u32, share: u64, count: u32, flow: (u32, u8), peer: IpAddr) -> Vec<u32> {
    let netem = Netem { loss: Loss::random(percent(share), 0), ..Netem::NONE };
    kept(&Flow::new(SEED, rule, flow, peer, 0), &netem, count)
}

/// The numbers, from 0, of a flow that are not lost.
fn kept(flow: &Flow, netem: &Netem, count: u32) -> Vec<u32> {
    let verdicts = flow.verdicts(netem, count).into_iter().zip(0..);
    verdicts.filter(|(verdict, _)| verdict.effects & LOST == 0).map(|(_, number)| number).collect()
}

fn numbers(echo: &Echo) -> Vec<u32> {
    echo.take().into_iter().map(|arrival| arrival.number).collect()
}
