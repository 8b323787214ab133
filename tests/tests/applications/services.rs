//! The servers, on the local host and at their usual ports. They are in no target, start with the first test that
//! needs them, and end with the virtual machine.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Result, ensure};
use injector_tests::{
    guest,
    network::Http,
    patience::{LONG, until},
    postgres::Postgres,
    victim,
};
use tempfile::TempDir;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Bytes of each answer of the HTTP server.
pub(crate) const ANSWER: usize = 20_000;

/// Those that the clients ask.
pub(crate) struct Services {
    /// The HTTP server's port, which is not the usual one.
    pub(crate) http: Http,
    /// The number of PostgreSQL's first process.
    pub(crate) postgres: u32,
    /// Where they have their files.
    _folder: TempDir,
}

/// All of them.
pub(crate) fn started() -> Result<&'static Services> {
    static SERVICES: OnceLock<Services> = OnceLock::new();
    if let Some(services) = SERVICES.get() {
        return Ok(services);
    }
    let services = Services::start()?;
    Ok(SERVICES.get_or_init(|| services))
}

impl Services {
    fn start() -> Result<Self> {
        // Nothing below is for the machine of whoever calls the tests by hand.
        guest::injector()?;
        let folder = victim::folder()?;
        serve("redis-server --save", &[""], folder.path())?;
        serve("etcd --unsafe-no-fsync --data-dir etcd", &[], folder.path())?;
        // Every name below .test is this host.
        serve(
            "dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --pid-file= --no-resolv --no-hosts \
             --listen-address=127.0.0.1 --bind-interfaces --address=/test/127.0.0.1",
            &[],
            folder.path(),
        )?;
        let database = folder.path().join("postgres");
        fs::create_dir(&database)?;
        let server = Postgres::make(&database)?;
        let postgres = server.start("-c fsync=off")?;
        server.done("psql", &["-X", "-d", "postgres", "-c", "create table t (x int)"])?;
        // The machine's own file is behind an overlay.
        fs::write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n")?;
        answers("redis-cli ping")?;
        answers("etcdctl endpoint health")?;
        answers("getent hosts web.test")?;
        Ok(Self { http: Http::start(LOCAL, ANSWER)?, postgres, _folder: folder })
    }
}

/// A server in the background.
fn serve(line: &str, more: &[&str], folder: &Path) -> Result<()> {
    let mut words = line.split_whitespace();
    let mut server = Command::new(words.next().unwrap_or_default());
    server.args(words).args(more).current_dir(folder);
    server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    Ok(())
}

/// Waits until a client succeeds.
fn answers(line: &str) -> Result<()> {
    let words: Vec<_> = line.split(' ').collect();
    ensure!(!words.is_empty());
    until(line, LONG, || {
        let mut client = Command::new(words[0]);
        client.args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(client.status()?.success())
    })?;
    Ok(())
}
