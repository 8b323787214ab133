//! With what is left: rules act, on processes of other users as well; a change is made or refused; what returns is met
//! again; and every end leaves nothing behind.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt as _},
    process::{Child, Command},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    cgroup::{self, Scratch},
    injector::{Injector, Running},
    patience::{LONG, until},
    residue::{Census, Exceptions},
    rights,
    victim::Steady,
};
use nix::sys::signal::Signal;

use crate::{SLACK, failing, operation};

/// Nobody in particular.
const USER: u32 = 65_534;

fn state(pid: u32) -> Result<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).context("no state")
}

/// A process of another user.
struct Stranger(Child);

impl Stranger {
    fn start() -> Result<Self> {
        Ok(Self(Command::new("sleep").arg("1000").uid(USER).gid(USER).spawn()?))
    }

    /// Waits until it stands still, or goes on.
    fn is_stopped(&self, stopped: bool) -> Result<()> {
        until("another state", LONG, || Ok((state(self.0.id())? == 'T') == stopped))?;
        Ok(())
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_fixed_plan_acts_until_any_end() -> Result<()> {
    let (victim, census) = (Steady::start(operation()?)?, Census::take()?);
    let attach = || -> Result<(Running, String)> {
        let mut injector = failing()?.words(["--pid", &victim.pid().to_string()]).start()?;
        let id = injector.begun()?;
        rights::keeps(injector.pid(), 0)?;
        victim.board.wait_faults(SLACK)?;
        Ok((injector, id))
    };
    let (injector, id) = attach()?;
    // Root without a capability has as many as the injector, and must not get at its descriptors all the same.
    let environ = format!("/proc/{}/environ", injector.pid());
    let bare = ["--bounding-set", "-all", "--inh-caps", "-all", "cat", &environ];
    let said = Command::new("setpriv").args(bare).output()?;
    ensure!(!said.status.success() && said.stdout.is_empty(), "{said:?}");
    let other = format!("inject={}:error=EPERM", operation()?.name);
    let said = Injector::new(["change", &id, "-e", &other])?.expect(2)?.stderr;
    for part in [&format!("the rules of the plan {id} cannot be changed"), "--fixed", "hint: `injector stop"]
    {
        ensure!(said.contains(part), "{part}: {said}");
    }
    Injector::new(["change", &id, "--for", "10m"])?.expect(0)?;
    Injector::new(["pause", &id])?.expect(0)?;
    victim.board.wait_relief(SLACK)?;
    Injector::new(["resume", &id])?.expect(0)?;
    victim.board.wait_faults(SLACK)?;
    Injector::new(["stop", &id])?.expect(0)?;
    injector.finish()?.expect(0)?;
    census.gone(Exceptions::None).context("stop")?;
    for (signal, code) in [(Signal::SIGTERM, 0), (Signal::SIGKILL, 137)] {
        let (injector, _) = attach()?;
        injector.signal(signal)?;
        injector.finish()?.expect(code)?;
        victim.board.wait_relief(SLACK)?;
        census.gone(Exceptions::None).with_context(|| signal.to_string())?;
    }
    Ok(())
}

/// From calls to packets and processes and back.
#[test]
fn a_change_brings_what_was_not_there() -> Result<()> {
    let (victim, stranger, census) = (Steady::start(operation()?)?, Stranger::start()?, Census::take()?);
    let rule = format!("inject={}:error=EIO", operation()?.name);
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let words = [
            "attach",
            "--pid",
            &victim.pid().to_string(),
            "--pid",
            &stranger.0.id().to_string(),
            "-e",
            &rule,
        ];
        let mut injector = Injector::new(words)?.start()?;
        let id = injector.begun()?;
        victim.board.wait_faults(SLACK)?;
        // Once all threads have given up what they had.
        thread::sleep(Duration::from_secs(1));
        let net = ["--net", "egress : delay 5ms", "--net", "ingress : loss 1%"];
        Injector::new(["change", &id, "-e", &rule])?.words(net).words(["--process", "pause"]).expect(0)?;
        stranger.is_stopped(true)?;
        Injector::new(["change", &id, "-e", &rule])?.expect(0)?;
        stranger.is_stopped(false)?;
        victim.board.next(10)?;
        victim.board.wait_faults(SLACK)?;
        Injector::new(["change", &id])?.words(net).words(["--process", "pause"]).expect(0)?;
        stranger.is_stopped(true)?;
        injector.signal(signal)?;
        injector.finish()?;
        stranger.is_stopped(false)?;
        victim.board.wait_relief(SLACK)?;
        if signal == Signal::SIGKILL {
            Injector::new(["recover"])?.finish()?;
        }
        census.gone(Exceptions::None).with_context(|| signal.to_string())?;
    }
    Ok(())
}

/// A cgroup of another user, in which one lives, goes and comes back, and what sits at it comes back with it.
#[test]
fn what_belongs_to_another_user_stands_still_and_is_met_again() -> Result<()> {
    let (slice, census) = (Scratch::new()?, Census::take()?);
    let path = slice.make("web")?;
    let lives = || -> Result<Stranger> {
        slice.make("web")?;
        chown(&path, Some(USER), Some(USER))?;
        chown(path.join("cgroup.freeze"), Some(USER), Some(USER))?;
        let stranger = Stranger::start()?;
        cgroup::move_into(&path, stranger.0.id())?;
        Ok(stranger)
    };
    let frozen = |wanted: &str| {
        until("a cgroup's state", LONG, || {
            Ok(fs::read_to_string(path.join("cgroup.events"))?.contains(wanted))
        })
    };
    let mut stranger = lives()?;
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let words = ["attach", "--fixed", "--process", "pause", "--net", "ingress : loss 1%", "--cgroup"];
        let mut injector = Injector::new(words)?.word(&path).start()?;
        injector.begun()?;
        frozen("frozen 1")?;
        for _ in 0..2 {
            drop(stranger);
            until("an empty cgroup", LONG, || Ok(fs::remove_dir(&path).is_ok()))?;
            stranger = lives()?;
            frozen("frozen 1")?;
        }
        injector.signal(signal)?;
        injector.finish()?;
        frozen("frozen 0")?;
    }
    drop((stranger, slice));
    Injector::new(["recover"])?.finish()?;
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn a_signal_reaches_a_command_of_another_user() -> Result<()> {
    let census = Census::take()?;
    let rule = format!("inject={}:error=EIO:when=60000", operation()?.name);
    let words = ["run", "--fixed", "-e", &rule, &format!("--user={USER}")];
    let mut injector = Injector::new(words)?.command(&["sleep", "1000"]).start()?;
    injector.begun()?;
    thread::sleep(Duration::from_secs(1));
    injector.signal(Signal::SIGTERM)?;
    injector.finish()?.expect(143)?;
    census.gone(Exceptions::None)?;
    Ok(())
}
