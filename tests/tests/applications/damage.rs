//! What arrives is not what was sent: the server, or the client, makes of it what it can.

use anyhow::{Result, ensure};
use injector_tests::guest::Kernel;

use crate::{clients::Clients, on};

#[test]
fn one_bit_wrong() -> Result<()> {
    if !on(Kernel::Debian612)? {
        return Ok(());
    }
    let clients = Clients::new()?;
    let injector = clients.attach(&["tcp dport 6379 : corrupt 100% fixed"])?;
    // Of ECHO's argument or of what is around it: another word comes back, or the server does not understand.
    let answer =
        clients.ask("timeout 10 redis-cli --no-raw ECHO aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")?;
    eprintln!("{}: {}", answer.line, answer.said.trim());
    ensure!(answer.said.trim() != format!("\"{}\"", "a".repeat(40)), "{answer:?}");
    Clients::detach(injector)
}
