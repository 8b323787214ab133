//! Rules on packets and on connections that are switched off and on again while their plan lives.

use anyhow::Result;
use injector_tests::{injector::Injector, network::Echo};

use crate::{LOCAL, attach, inhabited, send_in};

#[test]
fn a_paused_rule_lets_packets_pass() -> Result<()> {
    let (target, echo) = (inhabited()?, Echo::start(LOCAL)?);
    let mut injector = attach(target.path(), &["udp : partition", "tcp : partition"])?;
    let came = || Ok::<_, anyhow::Error>(send_in(target.path(), LOCAL, echo.port, 5)?.received.len());
    assert_eq!(came()?, 0);
    let id = injector.begun()?;
    Injector::new(["pause", &id, "--rule", "0"])?.expect(0)?;
    let passed = came()?;
    Injector::new(["resume", &id])?.expect(0)?;
    assert_eq!((passed, came()?), (5, 0));
    let report = injector.interrupt()?.expect(0)?.report()?;
    assert_eq!(report.rules[0].suppressed_by("paused"), 5);
    Ok(())
}
