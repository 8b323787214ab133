//! Calls and operations that are slow: the applications' own figures of how long things take.

use std::{
    process::{Command, Stdio},
    str::FromStr as _,
};

use anyhow::{Context as _, Result, ensure};
use injector_tests::{
    cgroup::Scratch,
    guest::Kernel,
    injector::Injector,
    patience::{LONG, until},
    postgres::Postgres,
    victim,
};

use crate::{clients::Clients, figure, moved, on, services};

/// Every commit waits for its write-ahead log.
#[test]
fn a_slow_disk_below_postgres() -> Result<()> {
    if !on(Kernel::FaultInjection)? {
        return Ok(());
    }
    let folder = victim::folder()?;
    let postgres = Postgres::make(folder.path())?;
    let server = postgres.start("-h ''")?;
    postgres.done("psql", &["-X", "-d", "postgres", "-c", "create table t (x int)"])?;
    let script = folder.path().join("insert");
    std::fs::write(&script, "insert into t values (1);\n")?;
    let script = script.display().to_string();
    let average = || -> Result<f64> {
        let said = postgres.done("pgbench", &["-n", "-t", "20", "-f", &script, "postgres"])?;
        figure(&said, "latency average = ")
    };
    let usual = average()?;
    let injector = Injector::new(["attach", "--json", "--pid", &server.to_string()])?;
    let mut injector = injector.words(["-e", "inject=fdatasync:delay_enter=50ms"]).start()?;
    injector.begun()?;
    let slow = average()?;
    injector.interrupt()?.expect(0)?;
    eprintln!("pgbench's average: {usual} ms, {slow} ms with 50 ms on fdatasync");
    moved("pgbench", slow / 1e3, (0.05, 1.0))?;
    ensure!(average()? < slow, "it stays slow");
    postgres.stop()
}

/// With `appendfsync always` each write waits for the disk.
#[test]
fn a_slow_disk_below_redis() -> Result<()> {
    if !on(Kernel::FaultInjection)? {
        return Ok(());
    }
    let (target, folder) = (Scratch::new()?, victim::folder()?);
    let mut server = Command::new("redis-server");
    server.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
    target.spawn(server.current_dir(folder.path()).stdout(Stdio::null()))?;
    until("Redis", LONG, || {
        let ping = Command::new("redis-cli").arg("ping").stderr(Stdio::null()).output()?;
        Ok(ping.stdout.starts_with(b"PONG"))
    })?;
    let benchmark = || -> Result<[f64; 3]> {
        let words = ["-t", "set", "-n", "50", "-c", "1", "--csv"];
        let output = Command::new("redis-benchmark").args(words).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms",…
        let line = said.lines().find(|line| line.starts_with("\"SET\"")).with_context(|| said.clone())?;
        let figures = line.split(',').skip(2).take(3).map(|word| f64::from_str(word.trim_matches('"')));
        figures.collect::<Result<Vec<_>, _>>()?.try_into().ok().context("three figures")
    };
    let [_, _, usual] = benchmark()?;
    let injector = Injector::attach(target.path(), "fsync,fdatasync:delay_enter=20ms")?;
    let mut injector = injector.json().start()?;
    injector.begun()?;
    let [average, least, median] = benchmark()?;
    eprintln!(
        "redis-benchmark: median {usual} ms; with 20 ms average {average}, least {least}, median {median}"
    );
    ensure!(usual < 20.0 && least >= 20.0 && median < 1000.0, "{usual}, {least}, {median}");
    let report = injector.interrupt()?.expect(0)?.report()?;
    ensure!(report.rules[0].fired >= 50, "{report:?}");
    Ok(())
}

/// On a stock kernel: no hook is at fdatasync, but one is where the log is opened, once a session.
#[test]
fn slow_opens_of_the_write_ahead_log() -> Result<()> {
    if !on(Kernel::Debian612)? {
        return Ok(());
    }
    let clients = Clients::new()?;
    let insert = "-c 'insert into t values (1)'";
    let line = format!(r"psql -X -U postgres -h 127.0.0.1 -c '\timing' {insert} {insert}");
    let server = clients.services.postgres.to_string();
    let injector = Injector::new(["attach", "--json", "--pid", &server])?;
    let mut injector = injector.words(["--io", "open:delay=500ms:path=pg_wal/*"]).start()?;
    injector.begun()?;
    let answer = clients.ask(&line)?;
    let (first, second) = answer.good()?.split_once("ms").context("two figures")?;
    moved("the first insert", figure(first, "Time: ")? / 1e3, (0.5, 1.0))?;
    let second = figure(second, "Time: ")?;
    ensure!(second < 500.0, "the second takes {second} ms");
    Clients::detach(injector)
}

/// An HTTP service that asks Redis before it answers.
const SERVICE: &str = "
import http.server, socket
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        redis = socket.create_connection(('127.0.0.1', 6379))
        redis.sendall(b'PING\\r\\n')
        answer = redis.recv(100)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer)
http.server.HTTPServer(('127.0.0.1', 8001), Handler).serve_forever()
";

#[test]
fn slow_connections() -> Result<()> {
    if !on(Kernel::Debian612)? {
        return Ok(());
    }
    services::started()?;
    let (clients, target) = (Clients::new()?, Scratch::new()?);
    target.spawn(Command::new("python3").args(["-S", "-c", SERVICE]).stderr(Stdio::null()))?;
    let ask = "curl -sS -w '%{time_connect} %{time_total}' http://127.0.0.1:8001/";
    until("an answer of the service", LONG, || Ok(clients.ask(ask)?.code == Some(0)))?;
    let injector = Injector::attach(target.path(), "connect:delay_enter=500ms")?;
    let mut injector = injector.json().start()?;
    injector.begun()?;
    let answer = clients.ask(ask)?;
    let said = answer.good()?;
    ensure!(said.contains("PONG"), "{said}");
    let total = said.split(' ').next_back().context("two figures")?.parse()?;
    moved("curl's time_total", total, (0.5, 1.0))?;
    Clients::detach(injector)?;

    // A client whose own connections are slow.
    let url = format!("http://127.0.0.1:{}/", clients.services.http.port);
    let words = ["curl", "-sS", "-o", "/dev/null", "-w", "%{time_connect}\n", &url];
    let finished = Injector::run("connect:delay_enter=300ms")?.command(&words).expect(0)?;
    moved("curl's time_connect", finished.stdout.trim().parse()?, (0.3, 1.0))
}
