//! Faults of which nobody is told: the client gives up when its own time is up.

use anyhow::Result;
use injector_tests::guest::Kernel;

use crate::{
    clients::{Clients, Patience, all_fail},
    on,
};

#[test]
fn partition_and_all_lost() -> Result<()> {
    if !on(Kernel::Debian612)? {
        return Ok(());
    }
    let answers =
        Clients::new()?.under(&["tcp : partition", "udp : loss 100%"], Patience { patience: 4, redis: 4 })?;
    all_fail(
        &answers,
        [
            (28, "Timeout was reached"),
            (6, "Could not resolve host: web.test"),
            (2, r#"connection to server at "127.0.0.1", port 5432 failed: timeout expired"#),
            (
                2,
                r#"could not translate host name "db.test" to address: Temporary failure in name resolution"#,
            ),
            // That was timeout(1).
            (124, ""),
            (1, "context deadline exceeded"),
        ],
    )
}
