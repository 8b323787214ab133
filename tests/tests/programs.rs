//! Real programs from Debian's packages, on a failing disk or network: they react as they would to the
//! real thing, and recover when the rule ends.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use injector_tests::{
    cgroup::Scratch,
    guest::Kernel,
    injector::Injector,
    network::Http,
    patience::{self, LONG},
    victim,
};
use tempfile::TempDir;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A Redis in a cgroup of its own.
struct Redis {
    cgroup: Scratch,
    server: Child,
    folder: TempDir,
    options: &'static [&'static str],
}

impl Redis {
    fn start(options: &'static [&'static str]) -> Result<Self> {
        let (cgroup, folder) = (Scratch::new()?, victim::folder()?);
        let server = Self::serve(&cgroup, folder.path(), options)?;
        let redis = Self { cgroup, server, folder, options };
        redis.wait()?;
        Ok(redis)
    }

    fn serve(cgroup: &Scratch, folder: &Path, options: &[&str]) -> Result<Child> {
        let mut server = Command::new("redis-server");
        server.args(["--port", "0", "--unixsocket", "socket", "--logfile", "log"]).args(options);
        cgroup.spawn(server.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()))
    }

    fn wait(&self) -> Result<()> {
        patience::until("an answer of Redis", LONG, || Ok(self.ask("PING")?.contains("PONG"))).map(drop)
    }

    /// After its end, once more on the same files.
    fn restart(&mut self) -> Result<()> {
        self.server = Self::serve(&self.cgroup, self.folder.path(), self.options)?;
        self.wait()
    }

    /// What `redis-cli` prints.
    fn ask(&self, words: &str) -> Result<String> {
        let mut client = Command::new("redis-cli");
        client.arg("-s").arg(self.folder.path().join("socket")).args(words.split(' '));
        let Output { stdout, stderr, .. } = client.output()?;
        Ok(String::from_utf8_lossy(&[stdout, stderr].concat()).trim().to_owned())
    }

    fn expect(&self, words: &str, answer: &str) -> Result<()> {
        let said = self.ask(words)?;
        ensure!(said.contains(answer), "`{words}` gives `{said}` instead of `{answer}`; {}", self.log()?);
        Ok(())
    }

    fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("log"))?)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// With `appendfsync always` a client's OK means that the data is on the disk. When it cannot be, Redis
/// gives up rather than lie.
#[test]
fn redis_gives_up_when_its_log_cannot_be_synced() -> Result<()> {
    let kernel = Kernel::running()?;
    let mut redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always", "--save", ""])?;
    redis.expect("SET kept 1", "OK")?;
    let rule = if kernel.injects_calls() { "fsync,fdatasync:error=EIO" } else { "write:error=EIO:when=2+" };
    let mut injector = Injector::attach(redis.cgroup.path(), rule)?.start()?;
    injector.begun()?;
    let answer = redis.ask("SET lost 1")?;
    ensure!(!answer.contains("OK"), "Redis said {answer}");
    if kernel.injects_calls() {
        let status = redis.server.wait()?;
        assert_eq!(status.code(), Some(1), "{status}");
        let log = redis.log()?;
        ensure!(
            log.contains("Can't persist AOF for fsync error") && log.contains("Input/output error"),
            "{log}"
        );
        // The last of its target's processes is gone, the cgroup is not: the injector waits.
        injector.interrupt()?.expect(0)?;
    } else {
        injector.interrupt()?.expect(0)?;
        redis.server.kill()?;
        redis.server.wait()?;
    }
    redis.restart()?;
    redis.expect("GET kept", "1")
}

/// Snapshots are written by a child process; a failed one makes Redis refuse writes until one succeeds.
#[test]
fn redis_refuses_writes_until_a_snapshot_succeeds() -> Result<()> {
    let kernel = Kernel::running()?;
    let redis = Redis::start(&["--save", "3600 1000000", "--appendonly", "no"])?;
    redis.expect("SET key 1", "OK")?;
    let rule = if kernel.injects_calls() { "fsync,fdatasync:error=EIO" } else { "openat:error=ENOSPC" };
    let mut injector = Injector::attach(redis.cgroup.path(), rule)?.start()?;
    injector.begun()?;
    redis.expect("BGSAVE", "Background saving started")?;
    snapshot(&redis, "err")?;
    redis.expect("SET key 2", "MISCONF")?;
    redis.expect("GET key", "1")?;
    // It opens its log anew for every line, so that without openat there are none.
    if kernel.injects_calls() {
        ensure!(redis.log()?.contains("Input/output error"), "{}", redis.log()?);
    }
    injector.interrupt()?.expect(0)?;
    redis.expect("BGSAVE", "Background saving started")?;
    snapshot(&redis, "ok")?;
    redis.expect("SET key 2", "OK")
}

fn snapshot(redis: &Redis, outcome: &str) -> Result<()> {
    let line = format!("rdb_last_bgsave_status:{outcome}");
    let end = patience::until("the end of a snapshot", LONG, || {
        let said = redis.ask("INFO persistence")?;
        Ok(said.contains("rdb_bgsave_in_progress:0") && said.contains(&line))
    });
    if end.is_err() {
        bail!("no snapshot is {outcome}: {}; {}", redis.ask("INFO persistence")?, redis.log()?);
    }
    Ok(())
}

/// A database with one row.
struct Database {
    folder: TempDir,
}

impl Database {
    fn new() -> Result<Self> {
        let database = Self { folder: victim::folder()? };
        database.expect("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(20000));", "")?;
        Ok(database)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("db")
    }

    fn words<'a>(path: &'a str, statement: &'a str) -> [&'a str; 3] {
        ["sqlite3", path, statement]
    }

    fn expect(&self, statement: &str, answer: &str) -> Result<()> {
        let path = self.path().display().to_string();
        let words = Self::words(&path, statement);
        let output = Command::new(words[0]).args(&words[1..]).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success() && said.trim() == answer, "{statement}: {output:?}");
        Ok(())
    }

    /// One more row under `rule` fails with `error`; afterwards all is as before, and another goes in.
    fn refuses(&self, rule: &str, error: &str) -> Result<()> {
        let path = self.path().display().to_string();
        let finished = Injector::run(rule)?
            .json()
            .command(&Self::words(&path, "INSERT INTO t VALUES (zeroblob(20000));"))
            .finish()?;
        ensure!(finished.code != 0 && finished.code < 125, "{rule}: {finished:?}");
        ensure!(finished.stderr.contains(error), "{rule}: {}", finished.stderr);
        ensure!(finished.report()?.rules[0].fired > 0, "{rule}: {finished:?}");
        self.expect("SELECT count(*) FROM t; PRAGMA integrity_check;", "1\nok")?;
        self.expect("INSERT INTO t VALUES (1); SELECT count(*) FROM t; DELETE FROM t WHERE x = 1;", "2")
    }
}

#[test]
fn sqlite_rolls_back_on_a_full_or_broken_disk() -> Result<()> {
    let database = Database::new()?;
    database.refuses("pwrite64:error=ENOSPC", "database or disk is full")?;
    database.refuses("pwrite64:error=EIO", "disk I/O error")?;
    // Later in the transaction: the journal is written, the database partly.
    database.refuses("pwrite64:error=EIO:when=6+", "disk I/O error")?;
    if Kernel::running()?.injects_calls() {
        database.refuses("fsync,fdatasync:error=EIO", "disk I/O error")?;
    }
    Ok(())
}

/// Another process is kept out while one writes, and nobody goes on without the lock that it was refused.
#[test]
fn sqlite_keeps_to_its_locks() -> Result<()> {
    let database = Database::new()?;
    let path = database.path().display().to_string();
    let mut writer = Command::new("sqlite3");
    let mut writer = writer.arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = writer.stdin.take().context("no stdin")?;
    writeln!(input, "BEGIN EXCLUSIVE; INSERT INTO t VALUES (2); SELECT 'locked';")?;
    let mut said = String::new();
    BufReader::new(writer.stdout.take().context("no stdout")?).read_line(&mut said)?;
    assert_eq!(said.trim(), "locked");
    let other = Command::new("sqlite3").args([path.as_str(), "SELECT count(*) FROM t;"]).output()?;
    let told = String::from_utf8_lossy(&other.stderr).into_owned();
    ensure!(!other.status.success() && told.contains("database is locked"), "{other:?}");
    writeln!(input, "COMMIT;")?;
    drop(input);
    ensure!(writer.wait()?.success());
    database.expect("SELECT count(*) FROM t;", "2")?;

    if Kernel::running()?.injects_calls() {
        let words = Database::words(&path, "SELECT count(*) FROM t;");
        let refused = Injector::run("fcntl:error=ENOLCK")?.command(&words).finish()?;
        ensure!(refused.code != 0 && refused.code < 125, "{refused:?}");
    }
    database.expect("SELECT count(*) FROM t;", "2")
}

fn curl(rule: &str, options: &[&str], port: u16) -> Result<i32> {
    let address = format!("http://127.0.0.1:{port}/");
    let words = [&["curl", "-sS", "-o", "/dev/null"], options, &[address.as_str()]].concat();
    let finished = Injector::run(rule)?.command(&words).finish()?;
    eprintln!(
        "curl under {rule}: {}",
        finished.stderr.lines().find(|line| line.starts_with("curl")).unwrap_or("ok")
    );
    Ok(finished.code)
}

#[test]
fn curl_is_refused_and_tries_again() -> Result<()> {
    let http = Http::start(LOCAL, 1000)?;
    // 7: could not connect.
    assert_eq!(curl("connect:error=ECONNREFUSED", &[], http.port)?, 7);
    let patient = ["--retry", "5", "--retry-connrefused", "--retry-delay", "1"];
    assert_eq!(curl("connect:error=ECONNREFUSED:times=2", &patient, http.port)?, 0);
    assert_eq!(curl("connect:error=ENETUNREACH", &[], http.port)?, 7);
    Ok(())
}

/// A rule that ends while the program goes on trying.
#[test]
fn curl_recovers_when_the_rule_ends() -> Result<()> {
    let (http, target) = (Http::start(LOCAL, 1000)?, Scratch::new()?);
    let mut injector =
        Injector::attach(target.path(), "connect:error=ECONNREFUSED")?.words(["--for", "3s"]).start()?;
    injector.begun()?;
    let start = Instant::now();
    let mut client = Command::new("curl");
    client.args(["-sS", "-o", "/dev/null", "--retry", "30", "--retry-connrefused", "--retry-delay", "1"]);
    client.arg(format!("http://127.0.0.1:{}/", http.port)).stderr(Stdio::null());
    ensure!(target.spawn(&mut client)?.wait()?.success());
    let took = start.elapsed();
    ensure!(took > Duration::from_secs(2) && took < Duration::from_secs(15), "{took:?}");
    injector.finish()?.expect(0)?;
    Ok(())
}
