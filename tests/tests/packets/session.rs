//! The SSH session of whoever starts the injector goes on, whatever the rules on packets say.

use anyhow::{Context, Result, ensure};
use injector_tests::{cgroup::Scratch, injector::Injector};

use crate::{
    LOCAL, LOCAL6,
    trees::{LONG, SHORT, Server, answer},
};

#[test]
fn the_callers_own_is_left_alone() -> Result<()> {
    for address in [LOCAL, LOCAL6] {
        let target = Scratch::new()?;
        let server = Server::start(target.path(), address)?;
        for insisting in [false, true] {
            let connect = || server.connect(LONG).context("no connection");
            let (mut own, mut other) = (connect()?, connect()?);
            let (client, port) = (own.local_addr()?, server.address.port());
            let variable = format!("{address} {} {address} {port}", client.port());
            let rules = ["--net", "both tcp : partition", "--net", "tcp : delay 20ms"];
            let mut injector = Injector::new(["attach", "--json", "--cgroup"])?
                .word(target.path())
                .words(rules)
                .words(insisting.then_some("--unsafe"))
                .variable("SSH_CONNECTION", &variable)
                .start()?;
            injector.begun()?;
            let own = answer(&mut own, if insisting { SHORT } else { LONG });
            assert_eq!(own.is_none(), insisting, "{address}");
            ensure!(answer(&mut other, SHORT).is_none(), "{address}: another connection passes");
            let finished = injector.interrupt()?.expect(0)?;
            let told = finished.stderr.contains(&format!("SSH session, {client} to {}", server.address));
            ensure!(told != insisting, "{address}: {}", finished.stderr);
        }
    }
    Ok(())
}
