//! netem's models on real packets, packet by packet against the pure functions: the same seed and the same
//! traffic give the same faults, whatever the ports are and however flows interleave.

use std::{
    net::{IpAddr, Ipv4Addr},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};
use injector_common::{
    chance::Bernoulli,
    loss::Loss,
    netem::{COPY_CORRUPTED, CORRUPTED, DUPLICATED, LOST, Netem},
};
use injector_tests::{
    cgroup::Scratch,
    model::{Flow, is_ephemeral},
    network::{Echo, Space},
};

use crate::{IN, LOCAL, LOCAL6, OUT, SEED, attach, inhabited, kept, numbers, percent, send_in, sender, sent};

const COUNT: u32 = 400;

/// Every model of loss, on the way out and in.
#[test]
fn bursts_are_the_models() -> Result<()> {
    let (target, echo) = (inhabited()?, Echo::start(LOCAL)?);
    ensure!(is_ephemeral(echo.port), "the kernel chose port {}", echo.port);
    let all = u64::from(u32::MAX) + 1;
    for (words, loss) in [
        ("loss 20% 60%", Loss::random(percent(20), percent(60))),
        ("loss gemodel 5% 20%", Loss::gilbert_elliott(percent(5), percent(20), all, 0)),
        (
            "loss gemodel 5% 20% 80% 2%",
            Loss::gilbert_elliott(percent(5), percent(20), percent(80), percent(2)),
        ),
        (
            "loss state 5% 20% 30% 40% 3%",
            Loss::four_state(percent(5), percent(20), percent(30), percent(40), percent(3)),
        ),
    ] {
        let netem = Netem { loss, ..Netem::NONE };
        for (way, flow) in [("egress", OUT), ("ingress", IN)] {
            let injector = attach(target.path(), &[&format!("{way} udp : {words}")])?;
            let seen = send_in(target.path(), LOCAL, echo.port, COUNT as usize)?;
            let report = injector.interrupt()?.expect(0)?.report()?;
            let expected = kept(&Flow::new(SEED, 0, flow, LOCAL, 0), &netem, COUNT);
            assert_eq!((seen.refused, seen.received), (0, expected.clone()), "{way} {words}");
            let lost = u64::from(COUNT) - expected.len() as u64;
            assert_eq!((report.rules[0].fired, report.rules[0].packets["dropped"]), (lost, lost), "{words}");
            assert!(lost > 10, "{words}: {lost}");
            numbers(&echo);
        }
    }
    Ok(())
}

/// Three flows at once, with other ports each time: each is known by its order of appearance.
#[test]
fn flows_that_interleave_meet_the_same_faults_again() -> Result<()> {
    let (target, echo) = (inhabited()?, Echo::start(LOCAL)?);
    let netem = Netem { loss: Loss::gilbert_elliott(percent(10), percent(30), 1 << 32, 0), ..Netem::NONE };
    for _ in 0..2 {
        let injector = attach(target.path(), &["udp : loss gemodel 10% 30%"])?;
        let mut senders = Vec::new();
        for _ in 0..3 {
            senders.push(target.spawn(&mut sender(LOCAL, echo.port, 200))?);
            // Its first packet is out, and the last is not.
            thread::sleep(Duration::from_millis(150));
        }
        for (sender, nth) in senders.into_iter().zip(0..) {
            let expected = kept(&Flow::new(SEED, 0, OUT, LOCAL, nth), &netem, 200);
            assert_eq!(sent(sender)?.received, expected, "flow {nth}");
        }
        assert_eq!(injector.interrupt()?.expect(0)?.report()?.rules[0].matched, 600);
    }
    Ok(())
}

/// What an echo server gets, in order: copies come first.
fn arrivals(flow: &Flow, netem: &Netem, count: u32) -> Vec<u32> {
    let mut all = Vec::new();
    for (verdict, number) in flow.verdicts(netem, count).into_iter().zip(0_u32..) {
        let turned = |copy| number ^ 1 << flow.bit(verdict.number, copy, 4);
        if verdict.effects & DUPLICATED != 0 {
            all.push(if verdict.effects & COPY_CORRUPTED == 0 { number } else { turned(true) });
        }
        if verdict.effects & LOST == 0 {
            all.push(if verdict.effects & CORRUPTED == 0 { number } else { turned(false) });
        }
    }
    all
}

/// All of it in one rule, to the last bit. The receiver takes the damage for what was sent.
#[test]
fn packets_are_doubled_lost_and_damaged_as_the_model_says() -> Result<()> {
    const WORDS: &str = "loss 10% duplicate 20% 25% corrupt 30% fixed";
    let netem = Netem {
        loss: Loss::random(percent(10), 0),
        duplicate: Bernoulli::new(percent(20), percent(25)),
        corrupt: Bernoulli::new(percent(30), 0),
        ..Netem::NONE
    };
    for address in [LOCAL, LOCAL6] {
        let (target, echo) = (inhabited()?, Echo::start(address)?);
        let injector = attach(target.path(), &[&format!("udp dport {} : {WORDS}", echo.port)])?;
        let seen = send_in(target.path(), address, echo.port, 300)?;
        let finished = injector.interrupt()?.expect(0)?;
        let flow = Flow::new(SEED, 0, OUT, address, 0);
        assert_eq!(seen.refused, 0);
        assert_eq!(numbers(&echo), arrivals(&flow, &netem, 300), "{address}");
        let verdicts = flow.verdicts(&netem, 300);
        let count = |effects| verdicts.iter().filter(|verdict| verdict.effects & effects != 0).count() as u64;
        let rule = &finished.report()?.rules[0];
        assert_eq!((rule.matched, rule.fired), (300, count(u32::MAX)));
        let told = ["bytes", "dropped", "duplicated", "corrupted"].map(|name| rule.packets[name]);
        let length = if address == LOCAL { 32 } else { 52 };
        let expected = [300 * length, count(LOST), count(DUPLICATED), count(CORRUPTED | COPY_CORRUPTED)];
        assert_eq!(told, expected, "{address}");
        let logged =
            |name: &str| finished.log.iter().filter(|line| line["verdict"][name] == true).count() as u64;
        assert_eq!([logged("drop"), logged("duplicate")], [count(LOST), count(DUPLICATED)]);
        assert!(finished.log.iter().all(|line| line["packet"]["flow"].as_str().is_some()));
    }
    Ok(())
}

/// Over a wire whose far end looks at the checksums: made by the kernel before, or by the device behind us.
#[test]
fn damage_has_a_right_checksum() -> Result<()> {
    let far = IpAddr::V4(Ipv4Addr::new(10, 3, 0, 1));
    let netem = Netem { corrupt: Bernoulli::new(percent(50), 0), ..Netem::NONE };
    for offload in [true, false] {
        let space = Space::new("wire")?;
        space.join("veth-wire", "10.3.0")?;
        if !offload {
            space.without_offload()?;
        }
        let (target, echo) = (Scratch::new()?, Echo::start(far)?);
        let mut holder = target.spawn(space.command("sleep").arg("100"))?;
        let injector = attach(target.path(), &["udp : corrupt 50% fixed"])?;
        let mut command =
            crate::arguments(space.command(injector_tests::victim::DATAGRAMS), far, echo.port, 200);
        sent(target.spawn(&mut command)?)?;
        injector.interrupt()?.expect(0)?;
        let expected = arrivals(&Flow::new(SEED, 0, OUT, far, 0), &netem, 200);
        assert_eq!(numbers(&echo), expected, "offload {offload}");
        holder.kill()?;
        holder.wait()?;
    }
    Ok(())
}

/// Rules add up: one loses, the other doubles, each by its own draws.
#[test]
fn two_rules_on_one_flow() -> Result<()> {
    let (target, echo) = (inhabited()?, Echo::start(LOCAL)?);
    let injector = attach(target.path(), &["udp : duplicate 30%", "udp : loss 30%"])?;
    send_in(target.path(), LOCAL, echo.port, 200)?;
    let report = injector.interrupt()?.expect(0)?.report()?;
    let doubling = Netem { duplicate: Bernoulli::new(percent(30), 0), ..Netem::NONE };
    let losing = Netem { loss: Loss::random(percent(30), 0), ..Netem::NONE };
    let doubled = Flow::new(SEED, 0, OUT, LOCAL, 0).verdicts(&doubling, 200);
    let lost = Flow::new(SEED, 1, OUT, LOCAL, 0).verdicts(&losing, 200);
    let copies =
        |number: usize| usize::from(doubled[number].effects != 0) + usize::from(lost[number].effects == 0);
    let expected: Vec<u32> = (0..200).flat_map(|n| vec![n; copies(n as usize)]).collect();
    assert_eq!(numbers(&echo), expected);
    assert_eq!(report.rules[1].suppressed_by("overruled"), 0);
    Ok(())
}
