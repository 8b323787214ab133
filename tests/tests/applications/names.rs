//! A resolver that cannot be asked: what those say who know their server by its name only, and that nobody else minds.

use anyhow::Result;
use injector_tests::guest::Kernel;

use crate::{clients::Clients, on};

#[test]
fn no_resolver() -> Result<()> {
    if !on(Kernel::Debian612)? {
        return Ok(());
    }
    let clients = Clients::new()?;
    let injector = clients.attach(&["udp dport 53 : reject"])?;
    clients.ask("getent hosts web.test")?.fails((2, ""))?;
    let lookup = "python3 -S -c 'import socket; socket.getaddrinfo(\"web.test\", 80)'";
    clients.ask(lookup)?.fails((1, "socket.gaierror: [Errno -3] Temporary failure in name resolution"))?;
    let redis = "Could not connect to Redis at redis.test:6379: Temporary failure in name resolution";
    clients.ask("redis-cli -h redis.test ping")?.fails((1, redis))?;
    // Who needs no name does not notice.
    clients.ask("redis-cli ping")?.good()?;
    Clients::detach(injector)
}
