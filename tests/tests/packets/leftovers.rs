//! What is on a device when its injector is gone, stopped, or not the only one.

use std::{
    os::unix::process::CommandExt,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use injector_tests::{
    cgroup::Scratch,
    guest::{Kernel, full},
    injector::Injector,
    network::{Echo, Space, sh},
    patience::{self, LONG},
    residue::{Census, Exceptions},
};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{LOCAL, attach, inhabited, send_in};

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
/// than what it has seen of the filters. With many network namespaces it takes long.
#[test]
fn a_plan_that_begins_during_a_sweep_keeps_its_filter() -> Result<()> {
    let (spaces, rounds) = if full() { (120, 50) } else { (25, 3) };
    let spaces: Vec<_> = (0..spaces).map(|n| Space::new(&format!("many{n}"))).collect::<Result<_>>()?;
    let (target, echo) = (inhabited()?, Echo::start(LOCAL)?);
    let sweeps = "while :; do \"$INJECTOR\" recover; done >/dev/null 2>&1";
    let mut sweeper = Command::new("sh").args(["-c", sweeps]).process_group(0).spawn()?;
    for round in 0..rounds {
        // On the way out only: that is where the filter is.
        let injector = attach(target.path(), &["udp : partition"])?;
        let sent = send_in(target.path(), LOCAL, echo.port, 5)?;
        assert_eq!(sent.received.len(), 0, "round {round}");
        let finished = injector.interrupt()?.expect(0)?;
        ensure!(!finished.stderr.contains("somebody took"), "round {round}: {}", finished.stderr);
    }
    killpg(Pid::from_raw(i32::try_from(sweeper.id())?), Signal::SIGKILL)?;
    sweeper.wait()?;
    drop(spaces);
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
