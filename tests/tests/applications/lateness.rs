//! Late and slow packets: the clients' own figures.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use injector_tests::{
    cgroup::Scratch,
    guest::Kernel,
    injector::Injector,
    patience::{LONG, until},
    victim,
};

use crate::{clients::Clients, figure, moved, on};

/// The figures of `curl -w`, in seconds.
const TIMES: &str = "curl -sS -o /dev/null -w '%{time_namelookup} %{time_connect} %{time_total}'";

fn times(said: &str) -> Result<[f64; 3]> {
    let times: Vec<f64> =
        said.split(' ').map(str::parse).collect::<Result<_, _>>().context(said.to_owned())?;
    times.try_into().ok().context("three figures")
}

#[test]
fn delay() -> Result<()> {
    if !on(Kernel::Debian612)? {
        return Ok(());
    }
    let clients = Clients::new()?;
    let latency = "redis-cli --latency -i 1";
    // Least, most, average, and how many, in milliseconds.
    let usual = figure(clients.ask(latency)?.good()?, "")?;
    ensure!(usual < 200.0, "{usual} ms");

    let injector = clients.attach(&["delay 200ms"])?;
    let url = format!("http://web.test:{}/", clients.services.http.port);
    let [resolved, connected, total] = times(clients.ask(&format!("{TIMES} {url}"))?.good()?)?;
    moved("curl's time_namelookup", resolved, (0.2, 1.0))?;
    moved("curl's time_connect", connected, (0.2, 2.0))?;
    moved("curl's time_total", total, (0.2, 3.0))?;
    let psql = clients.ask(r"psql -X -U postgres -h 127.0.0.1 -c '\timing' -c 'select 1'")?;
    moved("psql's \\timing", figure(psql.good()?, "Time: ")? / 1e3, (0.2, 1.0))?;
    let pgbench =
        clients.ask("echo 'select 1' | pgbench -n -t 2 -f /dev/stdin -U postgres -h 127.0.0.1 postgres")?;
    moved("pgbench", figure(pgbench.good()?, "latency average = ")? / 1e3, (0.2, 1.0))?;
    moved("redis-cli --latency", figure(clients.ask(latency)?.good()?, "")? / 1e3, (0.2, 1.0))?;
    let etcd = clients.ask("etcdctl endpoint health")?;
    // A connection is one delay, what is asked on it others.
    moved("etcdctl endpoint health", figure(etcd.good()?, "took = ")? / 1e3, (0.2, 2.0))?;
    Clients::detach(injector)
}

/// A server on a slow wire: so many bytes take at least so long.
#[test]
fn rate() -> Result<()> {
    if !on(Kernel::Debian612)? {
        return Ok(());
    }
    let (clients, target, folder) = (Clients::new()?, Scratch::new()?, victim::folder()?);
    std::fs::write(folder.path().join("file"), vec![b'x'; 100_000])?;
    let mut server = Command::new("python3");
    server.args(["-m", "http.server", "--bind", "127.0.0.1", "8000"]).current_dir(folder.path());
    target.spawn(server.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let fetch = format!("{TIMES} http://127.0.0.1:8000/file");
    until("an answer of python3's server", LONG, || Ok(clients.ask(&fetch)?.code == Some(0)))?;

    let mut injector = Injector::new(["attach", "--json", "--cgroup"])?.word(target.path());
    injector = injector.words(["--net", "tcp sport 8000 : rate 400kbit"]);
    let mut injector = injector.start()?;
    injector.begun()?;
    let [_, _, total] = times(clients.ask(&fetch)?.good()?)?;
    let report = injector.interrupt()?.expect(0)?.report()?;
    eprintln!("curl's time_total: {total} s, {:?}", report.rules[0]);
    ensure!((2.0..10.0).contains(&total), "{total} s");
    Ok(())
}
