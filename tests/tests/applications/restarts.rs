//! A service under a supervisor that starts it again whenever it ends, in a cgroup made for it each time: under a plan
//! it does not come up well, however often it is started.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use injector_tests::{
    cgroup::{Scratch, spawn_in},
    guest::Kernel,
    injector::Injector,
    patience::{LONG, until},
    residue::{Census, Exceptions},
    victim,
};
use serde_json::Value;
use tempfile::TempDir;

/// How often it has to come back in vain.
const RETURNS: u32 = 4;

/// Redis, and the thread that starts it again. Each start does without what the one before has left.
struct Supervised {
    slice: Scratch,
    folder: TempDir,
    over: Arc<AtomicBool>,
    starts: Arc<AtomicU32>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Supervised {
    fn start() -> Result<Self> {
        let (slice, folder) = (Scratch::new()?, victim::folder()?);
        let (over, starts) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let cgroup = slice.make("redis")?;
        let (end, count, path, home) =
            (Arc::clone(&over), Arc::clone(&starts), cgroup, folder.path().to_owned());
        let thread = Some(thread::spawn(move || {
            while !end.load(Relaxed) {
                until("an empty cgroup", LONG, || Ok(fs::remove_dir(&path).is_ok()))?;
                fs::create_dir(&path)?;
                count.fetch_add(1, Relaxed);
                let mut server = redis(&home)?;
                let mut server = spawn_in(&path, &mut server)?;
                server.wait()?;
            }
            Ok(())
        }));
        Ok(Self { slice, folder, over, starts, thread })
    }

    fn cgroup(&self) -> PathBuf {
        self.slice.path().join("redis")
    }

    /// Whether a write is taken and, with `appendfsync always`, on the disk.
    fn takes_a_write(&self) -> Result<bool> {
        let mut client = Command::new("redis-cli");
        client.arg("-s").arg(self.folder.path().join("socket")).args(["set", "key", "value"]);
        let output = client.stdin(Stdio::null()).output()?;
        Ok(output.stdout.starts_with(b"OK"))
    }

    fn said(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("said"))?)
    }

    fn stop(mut self) -> Result<()> {
        self.end()?.map_err(|_| anyhow!("the supervisor panicked"))?
    }

    fn end(&mut self) -> Result<thread::Result<Result<()>>> {
        self.over.store(true, Relaxed);
        // Who starts at this moment is in there as well, a moment later.
        let thread = self.thread.take().context("stopped before")?;
        until("the supervisor's end", LONG, || {
            let _ = fs::write(self.cgroup().join("cgroup.kill"), "1");
            Ok(thread.is_finished())
        })?;
        Ok(thread.join())
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if self.thread.is_some() {
            let _ = self.end();
        }
    }
}

/// A server that says what it has to say after what those before it have said.
fn redis(home: &Path) -> Result<Command> {
    let said = File::options().create(true).append(true).open(home.join("said"))?;
    let mut server = Command::new("redis-server");
    server.args(["--port", "0", "--unixsocket", "socket", "--save", ""]);
    server.args(["--appendonly", "yes", "--appendfsync", "always"]);
    server.current_dir(home).stdin(Stdio::null()).stdout(said);
    Ok(server)
}

/// Under a plan of these rules; `says` is what the service ends with.
fn never_comes_up_well(rules: [&str; 2], says: &str) -> Result<()> {
    let (census, service) = (Census::take()?, Supervised::start()?);
    until("Redis", LONG, || service.takes_a_write())?;
    let mut injector =
        Injector::new(["attach", "--json", "--cgroup"])?.word(service.cgroup()).words(rules).start()?;
    injector.begun()?;
    let before = service.starts.load(Relaxed);
    until("its starts in vain", 3 * LONG, || {
        let well = service.takes_a_write()?;
        ensure!(!well, "start {} is well:\n{}", service.starts.load(Relaxed), service.said()?);
        Ok(service.starts.load(Relaxed) > before + RETURNS)
    })?;
    let said = service.said()?;
    let ends = said.matches(says).count();
    ensure!(ends >= usize::try_from(RETURNS)?, "{ends} times `{says}`:\n{said}");
    let report: Value = serde_json::from_str(&injector.interrupt()?.expect(0)?.stdout)?;
    let returns = report["returns"].as_object().context("no returns")?;
    let count: u64 = returns.values().filter_map(Value::as_u64).sum();
    eprintln!("{} starts, {count} returns, {ends} times `{says}`", service.starts.load(Relaxed));
    ensure!(count >= u64::from(RETURNS), "{returns:?}");
    // By itself: nothing is left that keeps it from it.
    until("Redis without faults", LONG, || service.takes_a_write())?;
    service.stop()?;
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn a_redis_whose_disk_is_full_at_each_start() -> Result<()> {
    never_comes_up_well(["--io", "write:error=ENOSPC:path=**/*.aof"], "No space left on device")
}

#[test]
fn a_redis_whose_disk_fails_at_each_start() -> Result<()> {
    if !Kernel::running()?.injects_calls() {
        return Ok(());
    }
    never_comes_up_well(["-e", "inject=fsync,fdatasync:error=EIO"], "Input/output error")
}
