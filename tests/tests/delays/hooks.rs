//! Delays at security hooks, on a stock kernel: fewer calls, and any number of threads.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use injector_tests::{
    guest::Kernel,
    injector::{Finished, Injector},
    residue::{Census, Exceptions},
};
use nix::sys::signal::Signal;

use crate::{DELAYED, SLACK};

/// Whether calls are delayed at hooks here; where not for want of a function, the refusal says so.
fn at_hooks() -> Result<bool> {
    let kernel = Kernel::running()?;
    if !kernel.injects_calls() && !kernel.delays_at_hooks() {
        let refused = Injector::run("openat:delay_enter=10ms")?.command(&["true"]).expect(125)?;
        ensure!(refused.stderr.contains("call_delay_hook is not available"), "{}", refused.stderr);
        ensure!(refused.stderr.contains("bpf_task_from_pid"), "{}", refused.stderr);
    }
    Ok(!kernel.injects_calls() && kernel.delays_at_hooks())
}

fn python(rules: &[&str], script: &str) -> Result<Finished> {
    let mut injector = Injector::new(["run", "--json"])?;
    for rule in rules {
        injector = injector.words(["-e", &format!("inject={rule}")]);
    }
    injector.logged().command(&["python3", "-S", "-c", script]).finish()?.expect(0)
}

/// The numbers in the lines that the script prints, before the report.
fn numbers(finished: &Finished) -> Result<Vec<u64>> {
    let lines = finished.stdout.lines().take_while(|line| !line.starts_with('{'));
    lines.flat_map(str::split_whitespace).map(|word| word.parse().with_context(|| word.to_owned())).collect()
}

#[test]
fn calls_that_pass_a_hook_are_delayed_and_fail() -> Result<()> {
    if !at_hooks()? {
        return Ok(());
    }
    let script = "
import os, socket, time
def took(call, *arguments):
    start, result = time.monotonic(), 0
    try: call(*arguments)
    except OSError as error: result = error.errno
    print(result, int((time.monotonic() - start) * 1000))
took(os.open, '/etc/passwd', os.O_RDONLY | os.O_DIRECT)
took(socket.socket().connect, ('127.0.0.1', 1))
took(os.mkdir, '/tmp/not-delayed')
";
    let rules = ["openat:delay_enter=300ms:flags&O_DIRECT", "connect:delay_enter=300ms:error=ETIMEDOUT"];
    let finished = python(&rules, script)?;
    let found = numbers(&finished)?;
    let [_, opening, 110, connecting, 0, making] = found[..] else { bail!("{found:?}") };
    ensure!(opening >= 300 && connecting >= 300 && making < 300, "{found:?}");
    assert_eq!(finished.log.len(), 2);
    ensure!(finished.log.iter().all(|line| line["backend"] == "call_delay_hook"), "{:?}", finished.log);
    assert_eq!(finished.log[1]["verdict"]["delay_enter_ns"], 300_000_000);
    Ok(())
}

#[test]
fn any_number_of_threads_sleeps_at_a_time() -> Result<()> {
    if !at_hooks()? {
        return Ok(());
    }
    let script = "
import os, threading, time
took, together = [], threading.Barrier(256)
def go():
    together.wait()
    start = time.monotonic()
    os.close(os.open('/dev/null', os.O_RDONLY | os.O_NOCTTY))
    took.append(time.monotonic() - start)
threads = [threading.Thread(target=go) for _ in range(256)]
for thread in threads: thread.start()
start = time.monotonic()
for thread in threads: thread.join()
print(sum(time >= 0.1 for time in took), int((time.monotonic() - start) * 1000))
";
    let finished = python(&["openat:delay_enter=100ms:flags&O_NOCTTY"], script)?;
    let found = numbers(&finished)?;
    let [256, took] = found[..] else { bail!("{found:?}") };
    ensure!(took < 10_000, "one after the other they would take 26 s, and together they took {took} ms");
    let report = finished.report()?;
    assert_eq!((report.rules[0].fired, report.missed), (256, 0));
    Ok(())
}

#[test]
fn a_killed_injector_leaves_nobody_asleep() -> Result<()> {
    if !at_hooks()? {
        return Ok(());
    }
    for name in [None, Some("injector-fuse"), Some("injector-wdog")] {
        let (caller, census) =
            (crate::Caller::start_with(3, "os.close(os.open('/etc/passwd', 0))")?, Census::take()?);
        let injector = caller.attach(&["openat:delay_enter=9s"])?;
        // Threads are in the call in vain until they sleep there.
        std::thread::sleep(Duration::from_secs(1));
        let start = Instant::now();
        match name {
            None => injector.signal(Signal::SIGKILL)?,
            Some(name) => crate::signal(crate::helper(name)?, Signal::SIGKILL)?,
        }
        let after = caller.woken(start, DELAYED)?;
        ensure!(after < SLACK, "{name:?}: woken {after:?} later");
        injector.finish()?;
        caller.wait_undelayed()?;
        census.gone(Exceptions::None)?;
    }
    Ok(())
}

#[test]
fn what_no_hook_can_delay_is_refused() -> Result<()> {
    if !at_hooks()? {
        return Ok(());
    }
    for (rule, why) in [
        ("fsync:delay_enter=10ms", "passes no security hook"),
        ("read:delay_enter=10ms", "nobody may sleep at security_file_permission"),
        ("rename:delay_enter=10ms", "at security_path_rename the kernel holds the lock"),
        ("openat:delay_exit=10ms", "no security hook behind a call"),
    ] {
        let finished = Injector::run(rule)?.command(&["true"]).expect(125)?;
        ensure!(finished.stderr.contains(why), "{}", finished.stderr);
    }
    Ok(())
}

#[test]
fn operations_wait_whichever_way_they_come() -> Result<()> {
    if !Kernel::running()?.delays_at_hooks() {
        let refused = Injector::new(["run", "--io", "open:delay=10ms"])?.command(&["true"]).expect(125)?;
        ensure!(refused.stderr.contains("call_delay_hook is not available"), "{}", refused.stderr);
        return Ok(());
    }
    let script = "
import errno, os, socket, time
def took(call, *arguments):
    start, result = time.monotonic(), 0
    try: call(*arguments)
    except OSError as error: result = error.errno
    print(result, int((time.monotonic() - start) * 1000))
os.makedirs('/tmp/waits', exist_ok=True)
took(os.open, '/tmp/waits/a', os.O_CREAT | os.O_RDWR)
took(os.open, '/tmp/waits/b', os.O_CREAT | os.O_RDWR)
took(socket.socket().connect, ('127.0.0.1', 1))
took(socket.socket().connect, ('127.0.0.1', 2))
took(os.rename, '/tmp/waits/a', '/tmp/waits/c')
";
    let rules = [
        "open:delay=300ms:path=/tmp/waits/a",
        "open:error=EPERM:path=/tmp/waits/b",
        "connect:delay=300ms:error=ETIMEDOUT:port=1",
        "rename:delay=300ms:path=/tmp/waits/*",
    ];
    let words = rules.iter().flat_map(|rule| ["--io", rule]);
    let injector = Injector::new(["run", "--json", "--unsafe"])?.words(words).logged();
    let finished = injector.command(&["python3", "-S", "-c", script]).finish()?.expect(0)?;
    let found = numbers(&finished)?;
    let [0, opening, 1, other, 110, connecting, 111, refused, 0, renaming] = found[..] else {
        bail!("{found:?}")
    };
    ensure!(
        opening >= 300 && connecting >= 300 && renaming >= 300 && other < 300 && refused < 300,
        "{found:?}"
    );
    ensure!(finished.log.iter().all(|line| line["backend"] == "call_delay_hook"), "{:?}", finished.log);
    assert_eq!((finished.log.len(), &finished.log[0]["verdict"]["delay_enter_ns"]), (4, &300_000_000.into()));

    for (rule, why) in [
        ("rename:delay=10ms", "holds the lock of both folders"),
        ("read:delay=10ms", "nobody may sleep at security_file_permission"),
    ] {
        let finished = Injector::new(["run", "--io", rule])?.command(&["true"]).expect(125)?;
        ensure!(finished.stderr.contains(why), "{}", finished.stderr);
    }
    Ok(())
}
