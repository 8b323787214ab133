//! A target that goes away and comes back: what is decided at devices, for packets of its sockets, is decided for
//! those of the new cgroup; also in a network namespace that comes with it.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use injector_tests::{
    cgroup::{Scratch, spawn_in},
    network::{Echo, Space},
    patience::{LONG, until},
    residue::{Census, Exceptions},
    victim,
};

use crate::{LOCAL, arguments, attach, send_in, sent};

const ROUNDS: usize = 3;

/// Removes the target's cgroup, which is below one of the test's, and makes it again.
fn return_of(slice: &Scratch, path: &Path) -> Result<()> {
    until("an empty cgroup", LONG, || Ok(fs::remove_dir(path).is_ok()))?;
    slice.make("web")?;
    Ok(())
}

#[test]
fn packets_are_lost_again_after_each_return() -> Result<()> {
    let (slice, census) = (Scratch::new()?, Census::take()?);
    let path = slice.make("web")?;
    let (out, both) = (Echo::start(LOCAL)?, Echo::start(LOCAL)?);
    let rules =
        [format!("udp dport {} : loss 100%", out.port), format!("both udp dport {} : partition", both.port)];
    let injector = attach(&path, &rules.each_ref().map(String::as_str))?;
    let received =
        |path: &Path, echo: &Echo| Ok::<_, anyhow::Error>(send_in(path, LOCAL, echo.port, 5)?.received.len());
    for round in 0..=ROUNDS {
        for echo in [&out, &both] {
            // Sent at once after the return: those before the injector has seen it pass.
            until("packets that are lost", LONG, || Ok(received(&path, echo)? == 0))
                .with_context(|| format!("round {round}"))?;
            echo.take();
            assert_eq!((received(&path, echo)?, echo.arrived()), (0, 0), "round {round}");
            assert_eq!(received(slice.path(), echo)?, 5, "round {round}: beside the target");
        }
        return_of(&slice, &path)?;
    }
    let report = injector.interrupt()?.expect(0)?.report()?;
    for rule in report.rules {
        ensure!(rule.fired >= 10 * (ROUNDS as u64 + 1), "{rule:?}");
    }
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn a_namespace_that_comes_with_the_target_is_met() -> Result<()> {
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 61, 0, 1));
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 61, 0, 2));
    // The first namespace with a name comes with a mount that stays.
    drop(Space::new("again")?);
    let (slice, census) = (Scratch::new()?, Census::take()?);
    let path = slice.make("web")?;
    let enter = |path: &Path| -> Result<_> {
        let space = Space::new("again")?;
        space.join("veth-again", "10.61.0")?;
        let resident = spawn_in(path, space.command("sleep").arg("1000"))?;
        // Until it has entered.
        thread::sleep(Duration::from_millis(300));
        Ok((space, resident))
    };
    let (mut space, mut resident) = enter(&path)?;
    let far = Echo::start(IpAddr::V4(Ipv4Addr::UNSPECIFIED))?;
    let injector = attach(&path, &["udp to 10.61.0.1 : loss 100%", "ingress udp : corrupt 100%"])?;
    for round in 0..ROUNDS {
        let context = || format!("round {round}");
        let near = space.enter(|| Echo::start(THERE))?;
        let leaving = || -> Result<usize> {
            let mut sender = arguments(space.command(victim::DATAGRAMS), HERE, far.port, 5);
            Ok(sent(spawn_in(&path, &mut sender)?)?.received.len())
        };
        let coming = || -> Result<usize> { Ok(send_in(slice.path(), THERE, near.port, 5)?.received.len()) };
        until("a loss", LONG, || Ok(leaving()? == 0)).with_context(context)?;
        until("damage", LONG, || Ok(coming()? == 0)).with_context(context)?;
        far.take();
        near.take();
        assert_eq!((leaving()?, far.arrived()), (0, 0), "{}", context());
        assert_eq!((coming()?, near.arrived()), (0, 0), "{}", context());
        drop(near);
        resident.kill()?;
        resident.wait()?;
        drop(space);
        return_of(&slice, &path)?;
        (space, resident) = enter(&path)?;
    }
    let report = injector.interrupt()?.expect(0)?.report()?;
    for rule in report.rules {
        ensure!(rule.fired >= 5 * u64::try_from(ROUNDS)?, "{rule:?}");
    }
    resident.kill()?;
    resident.wait()?;
    drop(space);
    census.gone(Exceptions::None)?;
    Ok(())
}
