//! PostgreSQL whose write-ahead log meets a full disk once, and nothing else does: it panics, as it should, comes
//! back by itself, and has kept what was committed and nothing more.

use std::process::Output;

use anyhow::{Result, bail, ensure};
use injector_tests::{injector::Injector, patience, postgres::Postgres, victim};

#[test]
fn a_full_disk_under_the_write_ahead_log_alone() -> Result<()> {
    let folder = victim::folder()?;
    let postgres = Postgres::make(folder.path())?;
    let server = postgres.start("-h '' -c fsync=off")?;
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
    let log = postgres.log()?;
    ensure!(log.contains("PANIC") && log.contains("No space left on device"), "{log}");
    postgres.stop()
}
