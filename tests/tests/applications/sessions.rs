//! Faults that come while a connection is there.

use std::{
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    process::{Child, ChildStdin, Stdio},
};

use anyhow::{Context as _, Result};
use injector_tests::{
    guest::Kernel,
    patience::{LONG, until},
    victim,
};
use tempfile::TempDir;

use crate::{
    clients::{Clients, shell},
    on,
};

/// A client that is asked one thing after the other.
struct Session {
    client: Child,
    stdin: ChildStdin,
    said: PathBuf,
    _folder: TempDir,
}

impl Session {
    fn start(clients: &Clients, line: &str) -> Result<Self> {
        let folder = victim::folder()?;
        let said = folder.path().join("said");
        let mut command = shell(line)?;
        let mut client = clients.spawn(command.stdin(Stdio::piped()).stdout(File::create(&said)?))?;
        let stdin = client.stdin.take().context("no stdin")?;
        Ok(Self { client, stdin, said, _folder: folder })
    }

    /// Asks for something, to which the answer has to contain `text`.
    fn expect(&mut self, line: &str, text: &str) -> Result<()> {
        writeln!(self.stdin, "{line}")?;
        let answered = until(text, LONG, || Ok(fs::read_to_string(&self.said)?.contains(text)));
        let said = fs::read_to_string(&self.said)?;
        answered.with_context(|| said.clone())?;
        eprintln!("{line}: {}", said.lines().find(|line| line.contains(text)).unwrap_or_default());
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

/// A psql and a redis-cli that have been answered.
fn sessions(clients: &Clients) -> Result<(Session, Session)> {
    let mut psql =
        Session::start(clients, "exec psql -X -At -U postgres -h 127.0.0.1 'tcp_user_timeout=2000'")?;
    let mut redis = Session::start(clients, "exec redis-cli")?;
    psql.expect("select 41+1;", "42")?;
    redis.expect("echo before", "before")?;
    Ok((psql, redis))
}

#[test]
fn a_reset() -> Result<()> {
    if !on(Kernel::Debian612)? {
        return Ok(());
    }
    let clients = Clients::new()?;
    let (mut psql, mut redis) = sessions(&clients)?;
    let injector = clients.attach(&["tcp : reject rst"])?;
    psql.expect("select 42+1;", "server closed the connection unexpectedly")?;
    redis.expect("echo during", "Connection reset by peer")?;
    Clients::detach(injector)
}

#[test]
fn a_cut() -> Result<()> {
    if !on(Kernel::Debian612)? {
        return Ok(());
    }
    let clients = Clients::new()?;
    let (mut psql, mut redis) = sessions(&clients)?;
    let injector = clients.attach(&["partition"])?;
    // Redis has to wait; psql has been told for how long.
    writeln!(redis.stdin, "echo during")?;
    psql.expect("select 42+1;", "Connection timed out")?;
    Clients::detach(injector)?;
    // TCP repeats what was lost, and all is as before.
    redis.expect("echo after", "after")
}
