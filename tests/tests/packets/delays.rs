//! Packets that wait, and what the delay line does besides: how late each is, in which order they come, how fast,
//! how many may wait; and that nothing that is under way is lost at the end.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, TcpListener},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use injector_common::{
    chance::Bernoulli,
    delay::Delay,
    netem::{CORRUPTED, Netem, OVERTOOK},
    reorder::Reorder,
    timing::{Timing, WAITS},
};
use injector_tests::{
    cgroup::Scratch,
    injector::{Finished, Injector},
    model::Flow,
    network::{Arrival, Echo, Space, sh},
    residue::{Census, Exceptions},
    victim,
};

use crate::{LOCAL, LOCAL6, OUT, SEED, attach, inhabited, numbers, paced, percent, send_in, sent};

pub(crate) const MILLISECOND: u64 = 1_000_000;
pub(crate) const COUNT: u32 = 100;

pub(crate) fn timing(base: u64, jitter: u64) -> Timing {
    let delay = Delay { base: base * MILLISECOND, jitter: jitter * MILLISECOND, ..Delay::NONE };
    Timing { delay, longest: delay.latest(), limit: 1000, flags: WAITS, ..Timing::NONE }
}

/// Sends datagrams from a target, without waiting more than `gap` milliseconds after each.
fn send(target: &Scratch, echo: &Echo, address: IpAddr, (count, gap): (usize, u32)) -> Result<Vec<Arrival>> {
    let mut command = paced(Command::new(victim::DATAGRAMS), address, echo.port, (count, gap));
    assert_eq!(sent(target.spawn(&mut command)?)?.refused, 0);
    Ok(echo.take())
}

/// By the number of the packet, from 1: when it was decided about, and how late it was to be. Without those that
/// found no room.
pub(crate) fn decided(finished: &Finished) -> Result<BTreeMap<u64, (u64, u64)>> {
    let mut all = BTreeMap::new();
    for line in finished.log.iter().filter(|line| line.pointer("/verdict/overflow").is_none()) {
        let field = |path: &str| line.pointer(path).and_then(serde_json::Value::as_u64);
        let number = field("/packet/number").context("no number")?;
        let late = field("/verdict/delay_ns").context("no delay")?;
        all.insert(number, (field("/time_ns").context("no time")?, late));
    }
    Ok(all)
}

/// The delays are the model's, with their correlation and on both families; and no packet comes earlier.
#[test]
fn packets_are_as_late_as_the_model_says() -> Result<()> {
    let delay = Delay { repeat: percent(25), ..timing(30, 10).delay };
    let netem = Netem { timing: Timing { delay, ..timing(30, 10) }, ..Netem::NONE };
    for address in [LOCAL, LOCAL6] {
        let (target, echo) = (inhabited()?, Echo::start(address)?);
        let injector = attach(target.path(), &[&format!("udp dport {} : delay 30ms 10ms 25%", echo.port)])?;
        let arrived = send(&target, &echo, address, (COUNT as usize, 2))?;
        let finished = injector.interrupt()?.expect(0)?;
        let decided = decided(&finished)?;
        let expected = Flow::new(SEED, 0, OUT, address, 0).delays(&netem, None, COUNT);
        let asked: Vec<_> = decided.values().map(|&(_, late)| Some(late)).collect();
        assert_eq!(asked, expected, "{address}");
        assert_eq!(arrived.len(), COUNT as usize);
        for Arrival { number, time, .. } in arrived {
            let (from, late) = decided[&(u64::from(number) + 1)];
            // The log's clock is read when the packet is seen, the queue's a moment later.
            assert!(time >= from + late, "{number} came {} ns early", from + late - time);
        }
        let rule = &finished.report()?.rules[0];
        let told = ["delayed", "dropped", "reordered", "overflowed"].map(|name| rule.packets[name]);
        assert_eq!((rule.fired, told), (u64::from(COUNT), [u64::from(COUNT), 0, 0, 0]));
    }
    Ok(())
}

/// Every fifth is sent at once, and so comes first.
#[test]
fn packets_overtake() -> Result<()> {
    let (target, echo) = (inhabited()?, Echo::start(LOCAL)?);
    let injector = attach(target.path(), &["udp : delay 800ms reorder 100% gap 5"])?;
    let arrived = send(&target, &echo, LOCAL, (20, 2))?;
    let rule = injector.interrupt()?.expect(0)?.report()?.rules.remove(0);
    let netem = Netem {
        timing: Timing { reorder: Reorder { chance: Bernoulli::new(1 << 32, 0), gap: 5 }, ..timing(800, 0) },
        ..Netem::NONE
    };
    let verdicts = Flow::new(SEED, 0, OUT, LOCAL, 0).verdicts(&netem, 20);
    let overtakes = |number: &u32| verdicts[*number as usize].effects & OVERTOOK != 0;
    let (first, rest): (Vec<u32>, Vec<u32>) = (0..20).partition(overtakes);
    assert_eq!(first, [4, 9, 14, 19]);
    let order: Vec<_> = arrived.into_iter().map(|arrival| arrival.number).collect();
    assert_eq!(order, [first, rest].concat());
    assert_eq!((rule.packets["reordered"], rule.packets["delayed"]), (4, 16));
    Ok(())
}

/// Jitter that is larger than the distance of packets changes their order, unless it is told not to.
#[test]
fn jitter_can_keep_the_order() -> Result<()> {
    for (words, ordered) in [("delay 60ms 50ms", false), ("delay 60ms 50ms ordered", true)] {
        let (target, echo) = (inhabited()?, Echo::start(LOCAL)?);
        let injector = attach(target.path(), &[&format!("udp : {words}")])?;
        let sender = Command::new(victim::DATAGRAMS);
        assert_eq!(sent(target.spawn(&mut paced(sender, LOCAL, echo.port, (60, 2)))?)?.refused, 0);
        let arrived = echo.take();
        injector.interrupt()?.expect(0)?;
        assert_eq!(arrived.len(), 60, "{words}");
        assert_eq!(arrived.is_sorted_by_key(|arrival| arrival.number), ordered, "{words}");
    }
    Ok(())
}

/// 32 bytes at 16 kbit/s take 16 ms; ten packets wait, and those that come then are lost.
#[test]
fn a_rate_is_kept_and_its_queue_is_bounded() -> Result<()> {
    let (target, echo) = (inhabited()?, Echo::start(LOCAL)?);
    let injector = attach(target.path(), &["udp : rate 16kbit limit 10"])?;
    let arrived = send(&target, &echo, LOCAL, (100, 0))?;
    let finished = injector.interrupt()?.expect(0)?;
    let rule = finished.report()?.rules.remove(0);
    let [delayed, dropped, overflowed] = ["delayed", "dropped", "overflowed"].map(|name| rule.packets[name]);
    assert_eq!((delayed + overflowed, dropped), (100, overflowed));
    assert_eq!(arrived.len() as u64, delayed);
    assert!(overflowed > 20 && delayed >= 10, "{rule:?}");
    let field = |line: &serde_json::Value, path: &str| line.pointer(path).and_then(serde_json::Value::as_u64);
    let begin = field(&finished.log[0], "/time_ns").context("nothing is logged")?;
    for (arrival, due) in arrived.iter().zip((1..).map(|nth: u64| begin + nth * 16 * MILLISECOND)) {
        assert!(arrival.time >= due, "{} came {} ns early", arrival.number, due - arrival.time);
    }
    // Nobody waits behind more than ten.
    let longest = finished.log.iter().filter_map(|line| field(line, "/verdict/delay_ns")).max();
    let longest = longest.context("nothing waited")?;
    assert!((100 * MILLISECOND..=176 * MILLISECOND).contains(&longest), "{longest}");
    Ok(())
}

/// Ten packets of 32 bytes pass at once, ten of 46 with Ethernet's header wait.
#[test]
fn a_burst_passes_and_bytes_bound_the_queue() -> Result<()> {
    const BURST: u64 = 10;
    let (target, echo) = (inhabited()?, Echo::start(LOCAL)?);
    let injector = attach(target.path(), &["udp : rate 16kbit burst 320b limit 460b"])?;
    let arrived = send(&target, &echo, LOCAL, (100, 0))?;
    let finished = injector.interrupt()?.expect(0)?;
    let rule = finished.report()?.rules.remove(0);
    let [delayed, overflowed] = ["delayed", "overflowed"].map(|name| rule.packets[name]);
    assert_eq!((delayed + overflowed, arrived.len() as u64), (100, delayed));
    assert!(overflowed > 10 && delayed >= 2 * BURST, "{rule:?}");
    let decided = decided(&finished)?;
    let (begin, _) = decided[&1];
    let passed: Vec<_> = decided.values().filter(|(_, late)| *late > 0).collect();
    for ((time, late), nth) in passed.into_iter().zip(1_u64..) {
        let due = begin + nth * 16 * MILLISECOND;
        assert!(time + late >= due, "{nth} leaves {} ns early", due - time - late);
        assert!(*late <= (BURST + 1) * 16 * MILLISECOND, "{nth} waits for {late} ns");
    }
    let at_once = decided.values().filter(|(_, late)| *late == 0).count() as u64;
    assert!(at_once >= BURST, "{at_once} passed at once");
    Ok(())
}

/// With room for any number nobody waits behind others for longer than allowed, but for a packet's own 16 ms.
#[test]
fn the_queue_of_a_rate_is_bounded_in_time() -> Result<()> {
    let (target, echo) = (inhabited()?, Echo::start(LOCAL)?);
    let words = ["attach", "--json", "--max-packet-delay", "200ms", "--net", "udp : rate 16kbit", "--cgroup"];
    let mut injector = Injector::new(words)?.word(target.path()).logged().start()?;
    injector.begun()?;
    let arrived = send(&target, &echo, LOCAL, (100, 0))?;
    let finished = injector.interrupt()?.expect(0)?;
    let rule = finished.report()?.rules.remove(0);
    let [delayed, overflowed] = ["delayed", "overflowed"].map(|name| rule.packets[name]);
    assert_eq!((delayed + overflowed, arrived.len() as u64), (100, delayed));
    let longest = decided(&finished)?.values().map(|(_, late)| *late).max().context("nothing waited")?;
    assert!(
        overflowed > 20 && (180 * MILLISECOND..=217 * MILLISECOND).contains(&longest),
        "{longest} {rule:?}"
    );
    Ok(())
}

/// Damage that leaves the checksum wrong: the receiver's kernel throws the packet away, on a wire and on lo.
#[test]
fn damage_on_the_wire_is_seen_by_the_receiver() -> Result<()> {
    let far = IpAddr::V4(Ipv4Addr::new(10, 5, 0, 1));
    let space = Space::new("damaged")?;
    space.join("veth-damaged", "10.5.0")?;
    let netem = Netem { corrupt: Bernoulli::new(percent(30), 0), ..Netem::NONE };
    let wire = Scratch::new()?;
    // Killed with the cgroup.
    wire.spawn(space.command("sleep").arg("100"))?;
    for (target, address) in [(inhabited()?, LOCAL), (wire, far)] {
        let echo = Echo::start(address)?;
        let injector = attach(target.path(), &["udp : corrupt 30%"])?;
        let program =
            if address == far { space.command(victim::DATAGRAMS) } else { Command::new(victim::DATAGRAMS) };
        sent(target.spawn(&mut paced(program, address, echo.port, (COUNT as usize, 2)))?)?;
        let rule = injector.interrupt()?.expect(0)?.report()?.rules.remove(0);
        let verdicts = Flow::new(SEED, 0, OUT, address, 0).verdicts(&netem, COUNT);
        let whole = |(verdict, number): (_, u32)| {
            let verdict: injector_common::netem::Verdict = verdict;
            (verdict.effects & CORRUPTED == 0).then_some(number)
        };
        let expected: Vec<_> = verdicts.into_iter().zip(0..).filter_map(whole).collect();
        assert_eq!(numbers(&echo), expected, "{address}");
        assert_eq!(rule.packets["corrupted"], u64::from(COUNT) - expected.len() as u64, "{address}");
    }
    Ok(())
}

/// TCP hands down up to 64 KiB at a time. Each packet of the wire has a verdict of its own.
#[test]
fn super_packets_are_taken_apart() -> Result<()> {
    const BYTES: usize = 1 << 20;
    let space = Space::new("apart")?;
    space.join("veth-apart", "10.6.0")?;
    let listener = space.enter(|| Ok(TcpListener::bind("10.6.0.2:0")?))?;
    let port = listener.local_addr()?.port();
    let sink = thread::spawn(move || -> std::io::Result<u64> {
        std::io::copy(&mut listener.accept()?.0, &mut std::io::sink())
    });
    let (target, census) = (inhabited()?, Census::take()?);
    let injector = attach(target.path(), &["tcp : loss 0.5%"])?;
    let upload = format!("head -c {BYTES} /dev/zero > /dev/tcp/10.6.0.2/{port}");
    target.spawn(Command::new("bash").args(["-c", &upload]))?;
    assert_eq!(sink.join().map_err(|_| anyhow!("a thread panicked"))??, BYTES as u64);
    let finished = injector.interrupt()?.expect(0)?;
    let rule = finished.report()?.rules.remove(0);
    assert!(rule.matched > BYTES as u64 / 1500, "{rule:?}");
    assert!(rule.packets["bytes"] / rule.matched <= 1500, "{rule:?}");
    assert!(finished.log.iter().all(|line| line["packet"]["length"].as_u64() <= Some(1500)));
    census.gone(Exceptions::None)?;
    Ok(())
}

/// What is under way when the injector ends in order arrives; and what it made for it is gone.
#[test]
fn packets_under_way_arrive_at_the_end() -> Result<()> {
    let (target, echo, census) = (inhabited()?, Echo::start(LOCAL)?, Census::take()?);
    let injector = attach(target.path(), &["udp : delay 2500ms"])?;
    // Sent within some 50 ms; the sender gives up after a second.
    let seen = send_in(target.path(), LOCAL, echo.port, 20)?;
    assert_eq!((seen.refused, seen.received.len()), (0, 0));
    let finished = injector.interrupt()?.expect(0)?;
    assert!(!finished.stderr.contains("lost"), "{}", finished.stderr);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(numbers(&echo), (0..20).collect::<Vec<_>>());
    census.gone(Exceptions::None)?;
    Ok(())
}

/// The devices of one are not the other's, and each delays its own target only.
#[test]
fn two_delays_side_by_side() -> Result<()> {
    let (one, other, echo) = (inhabited()?, inhabited()?, Echo::start(LOCAL)?);
    let first = attach(one.path(), &["udp : delay 300ms"])?;
    let second = attach(other.path(), &["udp : delay 1ms"])?;
    assert_eq!(sh("ip -o link show type veth")?.lines().filter(|line| line.contains("inj-")).count(), 2);
    let late = |finished: &Finished| -> Result<Vec<u64>> {
        Ok(decided(finished)?.into_values().map(|(_, late)| late).collect())
    };
    send_in(one.path(), LOCAL, echo.port, 5)?;
    send_in(other.path(), LOCAL, echo.port, 5)?;
    let (first, second) = (first.interrupt()?.expect(0)?, second.interrupt()?.expect(0)?);
    assert_eq!(late(&first)?, [300 * MILLISECOND; 5]);
    assert_eq!(late(&second)?, [MILLISECOND; 5]);
    assert_eq!(numbers(&echo).len(), 10);
    Ok(())
}
