//! Delays of system calls: as long as asked, for as many threads as said, and over at once when whatever
//! makes them ends, in whatever way.
//!
//! Where it does not matter by which ABI a call comes, rules name one: half the programs are attached in half the time.

mod changes;
mod drawn;
mod endings;
mod hooks;
mod kills;
mod lengths;
mod many;
mod memory;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    guest::Kernel,
    injector::{Injector, Running},
    patience,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// No call takes that long by itself.
const DELAYED: Duration = Duration::from_millis(200);

/// For a process to be woken and to say so, on an emulated machine that others use as well.
const SLACK: Duration = Duration::from_secs(3);

/// Whether calls can be delayed here; where not, a rule is refused with the reason.
fn can_delay() -> Result<bool> {
    let can = Kernel::running()?.injects_calls();
    if !can {
        let refused = Injector::run("fsync:delay_enter=10ms")?.command(&["true"]).expect(125)?;
        ensure!(refused.stderr.contains("call_delay is not available"), "{}", refused.stderr);
        ensure!(refused.stderr.contains("CONFIG_FUNCTION_ERROR_INJECTION"), "{}", refused.stderr);
    }
    Ok(can)
}

/// A process whose threads make calls, and which writes down how long each of them took.
struct Caller {
    child: Child,
    /// Of each call that has ended: when that was seen, and how long it took.
    ended: Arc<Mutex<Vec<(Instant, Duration)>>>,
}

impl Caller {
    /// With so many threads, which all do `fsync`.
    fn start(threads: u32) -> Result<Self> {
        Self::start_with(threads, "os.fsync(file)")
    }

    /// The same with another call, in Python.
    fn start_with(threads: u32, call: &str) -> Result<Self> {
        const SCRIPT: &str = "
import os, sys, threading, time
file = os.open('/tmp/delayed', os.O_RDWR | os.O_CREAT)
def go():
    while True:
        start = time.monotonic()
        CALL
        took = time.monotonic() - start
        os.write(1, b'%d\\n' % (took * 1000))
        time.sleep(0.04)
for _ in range(int(sys.argv[1]) - 1): threading.Thread(target=go).start()
go()
";
        let mut command = Command::new("python3");
        command
            .args(["-I", "-S", "-c", &SCRIPT.replace("CALL", call), &threads.to_string()])
            .stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start python3")?;
        let lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        let ended: Arc<Mutex<Vec<_>>> = Arc::default();
        let to = Arc::clone(&ended);
        thread::spawn(move || {
            for took in lines.map_while(Result::ok).filter_map(|line| line.parse().ok()) {
                let call = (Instant::now(), Duration::from_millis(took));
                to.lock().unwrap_or_else(PoisonError::into_inner).push(call);
            }
        });
        Ok(Self { child, ended })
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An injector with these rules on it, which act when this returns.
    fn attach(&self, rules: &[&str]) -> Result<Running> {
        let mut injector = Injector::new(["attach", "--pid", &self.pid().to_string()])?;
        for rule in rules {
            injector = injector.words(["-e", &format!("inject={rule}")]);
        }
        let mut running = injector.start()?;
        running.begun()?;
        Ok(running)
    }

    /// Waits until so many of its threads sleep in a delay.
    fn wait_asleep(&self, threads: usize) -> Result<()> {
        patience::until("a thread that sleeps", patience::LONG, || Ok(self.asleep()? >= threads))?;
        Ok(())
    }

    /// Threads that are in `fsync`, which is done in no time unless it is delayed.
    fn asleep(&self) -> Result<usize> {
        let mut count = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.pid()))? {
            let path = task?.path();
            let read = |name| fs::read_to_string(path.join(name)).unwrap_or_default();
            // One that only waits for a processor is told apart by its state.
            let stat = read("stat");
            let waits = stat.contains(") S ") || stat.contains(") D ");
            count += usize::from(waits && read("syscall").starts_with(&format!("{} ", libc::SYS_fsync)));
        }
        Ok(count)
    }

    /// Calls that have ended since `start`: how long after it, and how long they took.
    fn since(&self, start: Instant) -> Vec<(Duration, Duration)> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.iter().filter_map(|(end, took)| Some((end.checked_duration_since(start)?, *took))).collect()
    }

    /// Waits for the end of a call that took at least so long: how long after `start`.
    fn woken(&self, start: Instant, least: Duration) -> Result<Duration> {
        let mut found = None;
        patience::until("the end of a delay", patience::LONG, || {
            let mut since = self.since(start).into_iter();
            found = since.find(|(_, took)| *took >= least).map(|(end, _)| end);
            Ok(found.is_some())
        })?;
        found.context("nobody")
    }

    /// Waits until calls are as fast as ever: nothing delays them.
    fn wait_undelayed(&self) -> Result<()> {
        let start = Instant::now();
        patience::until("calls without delay", patience::LONG, || {
            Ok(self.since(start).iter().filter(|(_, took)| *took < DELAYED).count() > 5)
        })?;
        Ok(())
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number of a helper of the injector, by its name.
fn helper(name: &str) -> Result<u32> {
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Ok(number) = entry.file_name().to_string_lossy().parse() else { continue };
        if fs::read_to_string(entry.path().join("comm")).is_ok_and(|comm| comm.trim() == name) {
            return Ok(number);
        }
    }
    anyhow::bail!("there is no process {name}")
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    Ok(kill(Pid::from_raw(i32::try_from(pid)?), signal)?)
}
