//! PostgreSQL whose write-ahead log meets a full disk once, and nothing else does: it panics, as it should, comes
//! back by itself, and has kept what was committed and nothing more.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use injector_tests::{injector::Injector, patience, victim};

/// A cluster of its own in a folder, served by its own processes.
struct Postgres<'a> {
    folder: &'a Path,
    programs: String,
}

impl<'a> Postgres<'a> {
    fn make(folder: &'a Path) -> Result<Self> {
        let version = std::fs::read_dir("/usr/lib/postgresql").context("postgresql is needed")?.next();
        let programs = version.context("postgresql is needed")??.path().join("bin").display().to_string();
        ensure!(Command::new("chown").arg("postgres").arg(folder).status()?.success());
        let this = Self { folder, programs };
        this.done("initdb", &["--no-sync", "--auth=trust", "--locale=C"])?;
        Ok(this)
    }

    /// One of its programs as its user, on its data.
    fn run(&self, program: &str, words: &[&str]) -> Result<Output> {
        let program = format!("{}/{program}", self.programs);
        let data = self.folder.join("data");
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", &program]).args(words).current_dir(self.folder);
        Ok(command.env("PGDATA", data).env("PGHOST", self.folder).stdin(Stdio::null()).output()?)
    }

    fn done(&self, program: &str, words: &[&str]) -> Result<String> {
        let output = self.run(program, words)?;
        if !output.status.success() {
            bail!("{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn start(&self) -> Result<u32> {
        let options = format!("-k {} -h '' -c shared_buffers=2MB -c fsync=off", self.folder.display());
        self.done("pg_ctl", &["-w", "-l", "server.log", "-o", &options, "start"])?;
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid"))?;
        pid.lines().next().and_then(|pid| pid.parse().ok()).context("postmaster.pid has no number")
    }

    fn ask(&self, sql: &str) -> Result<Output> {
        self.run("psql", &["-X", "-At", "-d", "postgres", "-c", sql])
    }
}

#[test]
fn a_full_disk_under_the_write_ahead_log_alone() -> Result<()> {
    let folder = victim::folder()?;
    let postgres = Postgres::make(folder.path())?;
    let server = postgres.start()?;
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(postgres.ask("create table t (x int); insert into t values (1)")?.status.success());

    let mut injector = Injector::new(["attach", "--json", "--pid", &server.to_string()])?
        .words(["--io", "write:error=ENOSPC:path=pg_wal/*:times=1"])
        .logged()
        .start()?;
    injector.begun()?;
    let full = postgres.ask("insert into t values (2)")?;
    ensure!(!full.status.success(), "it was written: {}", said(&full));
    let mut answer = String::new();
    patience::until("the server comes back", patience::LONG, || {
        let output = postgres.ask("select x from t")?;
        answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(output.status.success())
    })?;
    assert_eq!(answer, "1");
    ensure!(postgres.ask("insert into t values (3)")?.status.success());
    let finished = injector.interrupt()?.expect(0)?;
    assert_eq!(finished.report()?.rules[0].fired, 1);
    let [fault] = &finished.log[..] else { bail!("{:?}", finished.log) };
    let path = fault["path"].as_str().unwrap_or_default();
    ensure!(path.contains("/data/pg_wal/") && fault["operation"] == "write", "{fault:#}");
    let log = std::fs::read_to_string(folder.path().join("server.log"))?;
    ensure!(log.contains("PANIC") && log.contains("No space left on device"), "{log}");
    postgres.done("pg_ctl", &["-m", "immediate", "stop"])?;
    Ok(())
}
