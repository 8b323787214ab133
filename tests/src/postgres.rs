//! A PostgreSQL of a test's own: Debian's programs on a fresh folder, as their own user.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

/// Where Debian has programs such as `pg_ctl` and `pgbench`, which are not on everybody's path.
pub fn programs() -> Result<PathBuf> {
    let version = fs::read_dir("/usr/lib/postgresql").context("postgresql is needed")?.next();
    Ok(version.context("postgresql is needed")??.path().join("bin"))
}

/// A cluster of its own in a folder, served by its own processes.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    programs: PathBuf,
}

impl Postgres {
    /// Makes it; the folder is its user's from now on.
    pub fn make(folder: &Path) -> Result<Self> {
        ensure!(Command::new("chown").arg("postgres").arg(folder).status()?.success());
        let this = Self { folder: folder.to_owned(), programs: programs()? };
        this.done("initdb", &["--no-sync", "--auth=trust", "--locale=C"])?;
        Ok(this)
    }

    /// Starts it with these settings, on a socket in its folder; gives the number of the first process.
    pub fn start(&self, settings: &str) -> Result<u32> {
        let options = format!("-k {} -c shared_buffers=2MB {settings}", self.folder.display());
        self.done("pg_ctl", &["-w", "-l", "server.log", "-o", &options, "start"])?;
        let pid = fs::read_to_string(self.folder.join("data/postmaster.pid"))?;
        pid.lines().next().and_then(|pid| pid.parse().ok()).context("postmaster.pid has no number")
    }

    /// As if the machine had lost its power.
    pub fn stop(&self) -> Result<()> {
        self.done("pg_ctl", &["-m", "immediate", "stop"]).map(drop)
    }

    /// What it has written down.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.join("server.log"))?)
    }

    /// What psql says to a statement.
    pub fn ask(&self, sql: &str) -> Result<Output> {
        self.run("psql", &["-X", "-At", "-d", "postgres", "-c", sql])
    }

    /// What one of its programs prints, which has to succeed.
    pub fn done(&self, program: &str, words: &[&str]) -> Result<String> {
        let output = self.run(program, words)?;
        if !output.status.success() {
            bail!("{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// One of its programs as its user, on its data.
    fn run(&self, program: &str, words: &[&str]) -> Result<Output> {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(self.programs.join(program)).args(words);
        command.env("PGDATA", self.folder.join("data")).env("PGHOST", &self.folder);
        Ok(command.current_dir(&self.folder).stdin(Stdio::null()).output()?)
    }
}
