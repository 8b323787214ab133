//! Losses and partitions on one machine, by every kind of packet, against a model.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};
use injector_common::packet::EGRESS;
use injector_tests::{
    injector::Injector,
    network::{Echo, Http},
    victim,
};

use crate::{IN, LOCAL, LOCAL6, OUT, SEED, attach, inhabited, numbers, passing, send_in, sender, sent};

/// Each direction by itself loses exactly the packets that the model names, without a word to the sender.
#[test]
fn losses_agree_with_the_model() -> Result<()> {
    for (address, network) in [(LOCAL, "127.0.0.0/8"), (LOCAL6, "::1")] {
        let (target, echo) = (inhabited()?, Echo::start(address)?);
        let rule = format!("udp to {network} dport {} : loss 30%", echo.port);
        let injector = attach(target.path(), &[&rule])?;
        let outside = sent(sender(address, echo.port, 50).spawn()?)?;
        assert_eq!((outside.refused, outside.received.len()), (0, 50), "an outsider's packets were lost");
        numbers(&echo);
        let inside = send_in(target.path(), address, echo.port, 200)?;
        let finished = injector.interrupt()?.expect(0)?;
        let expected = passing(0, 30, 200, OUT, address);
        assert_eq!(inside.refused, 0, "the sender was told");
        assert_eq!(numbers(&echo), expected, "{address}");
        assert_eq!(inside.received, expected, "{address}");
        let counts = &finished.report()?.rules[0];
        let lost = 200 - expected.len() as u64;
        assert_eq!((counts.matched, counts.fired, counts.suppressed_by("prob")), (200, lost, 200 - lost));
        let packet = &finished.log[0]["packet"];
        let told =
            ["direction", "protocol", "destination"].map(|field| packet[field].as_str().unwrap_or_default());
        assert_eq!(told, ["egress", "udp", &address.to_string()], "{packet:#}");
        assert_eq!(packet["destination_port"].as_u64(), Some(u64::from(echo.port)), "{packet:#}");
        assert_eq!(finished.log.len() as u64, lost);

        // What comes in: the server has seen them all.
        let rule = format!("ingress udp from {network} sport {} : loss 30%", echo.port);
        let injector = attach(target.path(), &[&rule])?;
        let inside = send_in(target.path(), address, echo.port, 200)?;
        injector.interrupt()?.expect(0)?;
        assert_eq!(numbers(&echo).len(), 200);
        assert_eq!(inside.received, passing(0, 30, 200, IN, address), "{address}");
    }
    Ok(())
}

#[test]
fn several_rules_all_count() -> Result<()> {
    let (target, echo) = (inhabited()?, Echo::start(LOCAL)?);
    let first = format!("udp dport {} : loss 20%", echo.port);
    let injector = attach(target.path(), &[&first, "udp : loss 10%", "tcp : partition"])?;
    let inside = send_in(target.path(), LOCAL, echo.port, 200)?;
    let report = injector.interrupt()?.expect(0)?.report()?;
    let one = passing(0, 20, 200, OUT, LOCAL);
    let other = passing(1, 10, 200, OUT, LOCAL);
    let both: Vec<u32> = one.iter().filter(|number| other.contains(number)).copied().collect();
    assert_eq!(inside.received, both);
    assert_eq!((report.rules[0].matched, report.rules[0].fired), (200, 200 - one.len() as u64));
    let overruled = (0..200).filter(|n| !one.contains(n) && !other.contains(n)).count() as u64;
    assert_eq!(report.rules[1].matched, 200);
    assert_eq!(report.rules[1].suppressed_by("overruled"), overruled);
    assert_eq!(report.rules[1].fired, 200 - other.len() as u64 - overruled);
    assert_eq!(report.rules[2].matched, 0);
    Ok(())
}

#[test]
fn a_partition_lets_nothing_through_and_ends() -> Result<()> {
    let (target, echo) = (inhabited()?, Echo::start(LOCAL)?);
    let port = echo.port.to_string();
    for rule in ["both : partition", &format!("udp port {port} : partition")] {
        let injector = attach(target.path(), &[rule])?;
        let inside = send_in(target.path(), LOCAL, echo.port, 20)?;
        assert_eq!((inside.refused, inside.received.len(), numbers(&echo).len()), (0, 0, 0), "{rule}");
        injector.interrupt()?.expect(0)?;
        assert_eq!(send_in(target.path(), LOCAL, echo.port, 20)?.received.len(), 20, "after {rule}");
        numbers(&echo);
    }
    // Rules on other protocols, ports and networks leave it alone.
    let other = if echo.port == 9 { "10" } else { "9" };
    let other = format!("udp port {other} : partition");
    let rules = ["tcp : partition", &other, "to 10.0.0.0/8 : partition", "to ::/0 : partition"];
    let injector = attach(target.path(), &rules)?;
    assert_eq!(send_in(target.path(), LOCAL, echo.port, 20)?.received.len(), 20);
    let report = injector.interrupt()?.expect(0)?.report()?;
    assert!(report.rules.iter().all(|rule| rule.matched == 0), "{report:?}");
    Ok(())
}

#[test]
fn icmp_of_both_families() -> Result<()> {
    for (address, protocol) in [("127.0.0.1", 1), ("::1", 58)] {
        let target = inhabited()?;
        let injector = attach(target.path(), &["icmp : loss 50%"])?;
        let mut ping = Command::new("ping");
        ping.args(["-c", "40", "-i", "0.01", "-W", "1", address]).stdout(Stdio::piped());
        let output = target.spawn(&mut ping)?.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let report = injector.interrupt()?.expect(0)?.report()?;
        let kept = passing(0, 50, 40, (EGRESS, protocol), address.parse()?);
        let received = format!(" {} received", kept.len());
        ensure!(said.contains(&received), "expected{received}: {said}");
        assert_eq!(report.rules[0].matched, 40, "{address}");
    }
    Ok(())
}

/// TCP gets over a loss, as it does over a real one.
#[test]
fn a_transfer_survives_losses_and_a_partition_that_ends() -> Result<()> {
    const BYTES: usize = 2_000_000;
    let (target, http) = (inhabited()?, Http::start(LOCAL, BYTES)?);
    let curl = |limit: &str| -> Result<Child> {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-o", "/dev/null", "-w", "%{size_download}", "--max-time", limit]);
        curl.arg(format!("http://127.0.0.1:{}/", http.port));
        target.spawn(curl.stdout(Stdio::piped()).stderr(Stdio::piped()))
    };
    let injector = attach(target.path(), &[&format!("both tcp port {} : loss 10%", http.port)])?;
    let output = curl("100")?.wait_with_output()?;
    ensure!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), BYTES.to_string());
    let counts = injector.interrupt()?.expect(0)?.report()?.rules.remove(0);
    eprintln!("{} of {} packets of a transfer were lost", counts.fired, counts.matched);
    assert!(counts.fired > 0, "{counts:?}");

    let injector = attach(target.path(), &[&format!("both tcp port {} : partition", http.port)])?;
    let output = curl("2")?.wait_with_output()?;
    assert_eq!(output.status.code(), Some(28), "not a timeout: {output:?}");
    // One that begins in the partition comes through when it has ended.
    let late = curl("60")?;
    thread::sleep(Duration::from_secs(1));
    injector.interrupt()?.expect(0)?;
    let output = late.wait_with_output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(())
}

/// A command under `run` whose packets are lost from its first one on.
#[test]
fn packets_of_a_command() -> Result<()> {
    let echo = Echo::start(LOCAL)?;
    let port = echo.port.to_string();
    let finished = Injector::new(["run", "--net", &format!("udp dport {port} : loss 30%"), "--seed"])?
        .word(SEED.to_string())
        .command(&[victim::DATAGRAMS, "127.0.0.1", &port, "100", "2"])
        .expect(0)?;
    assert_eq!(numbers(&echo), passing(0, 30, 100, OUT, LOCAL));
    ensure!(finished.stdout.starts_with("sent 100 refused 0"), "{}", finished.stdout);
    ensure!(finished.stdout.lines().count() == 1, "more than the command's own output: {}", finished.stdout);
    Ok(())
}
