//! Faults of which the client is told: it names the error.

use anyhow::Result;
use injector_tests::guest::Kernel;

use crate::{
    clients::{Clients, Patience, all_fail},
    on,
};

/// All that a resolver says of a server that does not answer, however that came about.
const UNRESOLVED: [(i32, &str); 2] = [
    (6, "Could not resolve host: web.test"),
    (2, r#"could not translate host name "db.test" to address: Temporary failure in name resolution"#),
];

fn refused_with(rules: &[&str], (curl, error): (i32, &str), patience: u32) -> Result<()> {
    if !on(Kernel::Debian612)? {
        return Ok(());
    }
    let answers = Clients::new()?.under(rules, Patience { patience, redis: 60 })?;
    let [curl_by_name, psql_by_name] = UNRESOLVED;
    all_fail(
        &answers,
        [
            // `connect to 127.0.0.1 port 80 failed: …`, or `Immediate connect fail for 127.0.0.1: …`
            (curl, &format!(": {error}")),
            curl_by_name,
            (2, &format!(r#"connection to server at "127.0.0.1", port 5432 failed: {error}"#)),
            psql_by_name,
            (1, &format!("Could not connect to Redis at 127.0.0.1:6379: {error}")),
            (1, &format!("dial tcp 127.0.0.1:2379: connect: {}", error.to_lowercase())),
        ],
    )
}

#[test]
fn reset() -> Result<()> {
    refused_with(&["tcp : reject rst", "udp : reject"], (7, "Connection refused"), 3)
}

#[test]
fn no_route() -> Result<()> {
    // The kernel believes it at the second try, which is a second later.
    refused_with(&["reject icmp host"], (7, "No route to host"), 6)
}

#[test]
fn connections_refused() -> Result<()> {
    refused_with(&["connect=ECONNREFUSED"], (7, "Connection refused"), 3)
}

#[test]
fn connections_timed_out() -> Result<()> {
    refused_with(&["connect=ETIMEDOUT"], (28, "Connection timed out"), 3)
}
