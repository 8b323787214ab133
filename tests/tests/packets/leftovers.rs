//! What is on a device when its injector is gone, stopped, or not the only one.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use injector_tests::{
    cgroup::Scratch,
    guest::{Kernel, full},
    injector::Injector,
    network::{Echo, Space, sh},
    patience::{self, LONG},
    residue::{Census, Exceptions},
    victim,
};
use nix::sys::signal::Signal;

use crate::{LOCAL, arguments, attach, inhabited, send_in, sent};

/// The lease and the deadline hold for packets, too; and after a SIGKILL they pass at once.
#[test]
fn packets_pass_when_the_injector_does_not() -> Result<()> {
    let (target, echo, census) = (inhabited()?, Echo::start(LOCAL)?, Census::take()?);
    let injector = attach(target.path(), &["both udp : partition"])?;
    assert_eq!(send_in(target.path(), LOCAL, echo.port, 5)?.received.len(), 0);
    injector.signal(Signal::SIGKILL)?;
    assert_eq!(injector.finish()?.code, 137);
    census.gone(Exceptions::Named)?;
    let inside = send_in(target.path(), LOCAL, echo.port, 20)?;
    assert_eq!((inside.refused, inside.received.len()), (0, 20));
    let left = census.left()?;
    if Kernel::running()?.has_tcx() {
        assert!(left.is_empty(), "{left:#?}");
    } else {
        assert!(left.iter().any(|left| left.contains("clsact")), "{left:#?}");
        // A gate with nothing behind it.
        assert_eq!(left.iter().filter(|left| left.starts_with("BPF ")).count(), 2, "{left:#?}");
    }
    // It is taken away when somebody asks for it, and the second time there is nothing left.
    let told = Injector::new(["recover"])?.expect(0)?.stderr;
    assert_eq!(told.contains("removed the filter injector-"), !Kernel::running()?.has_tcx(), "{told}");
    census.gone(Exceptions::None)?;
    assert!(Injector::new(["recover"])?.expect(0)?.stderr.contains("nothing is left"));

    let injector = attach(target.path(), &["both udp : partition"])?;
    injector.signal(Signal::SIGSTOP)?;
    let start = Instant::now();
    while send_in(target.path(), LOCAL, echo.port, 5)?.received.is_empty() {
        ensure!(start.elapsed() < Duration::from_secs(16), "the partition outlives its lease");
    }
    eprintln!("packets passed {:.1} s after SIGSTOP", start.elapsed().as_secs_f64());
    drop(injector);
    census.gone(Exceptions::Named)?;
    Injector::new(["run", "--net", "loss 1%"])?.command(&["true"]).expect(0)?;
    census.gone(Exceptions::None)?;
    Ok(())
}

/// Before Linux 6.6 a filter stays in a network namespace that nobody lives in any more, and is found there.
#[test]
fn a_deserted_network_namespace_is_swept() -> Result<()> {
    let (space, target) = (Space::new("deserted")?, Scratch::new()?);
    space.join("towards", "10.77.1")?;
    let mut resident = target.spawn(space.command("sleep").arg("1000"))?;
    let injector = attach(target.path(), &["loss 1%"])?;
    let filters = || sh("tc -n deserted filter show dev eth0 egress");
    assert_eq!(filters()?.contains("injector-"), !Kernel::running()?.has_tcx());
    injector.signal(Signal::SIGKILL)?;
    assert_eq!(injector.finish()?.code, 137);
    resident.kill()?;
    resident.wait()?;
    assert_eq!(filters()?.contains("injector-"), !Kernel::running()?.has_tcx());
    Injector::new(["recover"])?.expect(0)?;
    assert_eq!((filters()?, sh("tc -n deserted qdisc show dev eth0 clsact")?), Default::default());
    Ok(())
}

/// Two injectors on one device; what one leaves is not the other's.
#[test]
fn two_injectors_on_one_device() -> Result<()> {
    let (one, other, echo, census) = (inhabited()?, inhabited()?, Echo::start(LOCAL)?, Census::take()?);
    let first = attach(one.path(), &["udp : partition"])?;
    let second = attach(other.path(), &["udp : partition"])?;
    for cgroup in [&one, &other] {
        assert_eq!(send_in(cgroup.path(), LOCAL, echo.port, 5)?.received.len(), 0);
    }
    first.interrupt()?.expect(0)?;
    assert_eq!(send_in(one.path(), LOCAL, echo.port, 5)?.received.len(), 5);
    assert_eq!(send_in(other.path(), LOCAL, echo.port, 5)?.received.len(), 0);
    second.interrupt()?.expect(0)?;
    assert_eq!(send_in(other.path(), LOCAL, echo.port, 5)?.received.len(), 5);
    census.gone(Exceptions::None)?;
    Ok(())
}

/// A sweep that lists filters while a plan begins does not take its filter: what it has seen of the plans is not older
/// than what it has seen of the filters. With many network namespaces it takes long, and it comes to the plan's last.
#[test]
fn a_plan_that_begins_during_a_sweep_keeps_its_filter() -> Result<()> {
    if Kernel::running()?.has_tcx() {
        // No filter to sweep.
        return Ok(());
    }
    let (count, rounds) = if full() { (120, 50) } else { (25, 3) };
    let mut spaces = Vec::new();
    for number in 0..count {
        let space = Space::new(&format!("many{number}"))?;
        spaces.push((fs::metadata(format!("/run/netns/many{number}"))?.ino(), space));
    }
    // In the order in which they are swept.
    spaces.sort_by_key(|&(inode, _)| inode);
    let (_, last) = spaces.last().context("no namespace")?;
    let (target, echo) = (Scratch::new()?, last.enter(|| Echo::start(LOCAL))?);
    // Killed with the cgroup.
    target.spawn(last.command("sleep").arg("1000"))?;
    let over = AtomicBool::new(false);
    let swept = thread::scope(|scope| {
        let sweeper = scope.spawn(|| -> Result<u32> {
            let mut sweeps = 0;
            while !over.load(Ordering::Relaxed) {
                Injector::new(["recover"])?.expect(0)?;
                sweeps += 1;
            }
            Ok(sweeps)
        });
        let kept = (0..rounds).try_for_each(|round| -> Result<()> {
            // On the way out only: that is where the filter is.
            let injector = attach(target.path(), &["udp : partition"])?;
            let sender = arguments(last.command(victim::DATAGRAMS), LOCAL, echo.port, 5);
            let received = sent(target.spawn(&mut { sender })?)?.received;
            ensure!(received.is_empty(), "round {round}: {received:?} came");
            let said = injector.interrupt()?.expect(0)?.stderr;
            ensure!(!said.contains("somebody took"), "round {round}: {said}");
            Ok(())
        });
        over.store(true, Ordering::Relaxed);
        let sweeps = sweeper.join().map_err(|_| anyhow!("a thread panicked"))?;
        kept.and(sweeps)
    })?;
    eprintln!("{rounds} plans began during {swept} sweeps of {count} namespaces");
    ensure!(swept > 0);
    Ok(())
}

/// Before Linux 6.6 anybody can take a filter away. It is put back, and the report says so.
#[test]
fn a_filter_that_somebody_takes_away_comes_back() -> Result<()> {
    if Kernel::running()?.has_tcx() {
        // A link is nobody else's to close.
        return Ok(());
    }
    let (target, echo) = (inhabited()?, Echo::start(LOCAL)?);
    let injector = attach(target.path(), &["both udp : partition"])?;
    for taken in ["tc filter del dev lo egress", "tc qdisc del dev lo clsact"] {
        sh(taken)?;
        patience::until(
            "the filter",
            LONG,
            || Ok(sh("tc filter show dev lo egress")?.contains("injector-")),
        )?;
        assert_eq!(send_in(target.path(), LOCAL, echo.port, 5)?.received.len(), 0, "{taken}");
    }
    let finished = injector.interrupt()?.expect(0)?;
    ensure!(finished.stderr.contains("somebody took the filter"), "{}", finished.stderr);
    assert!(!sh("tc qdisc show dev lo")?.contains("clsact"));
    Ok(())
}
