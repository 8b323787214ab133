//! Who is delayed, how long, and what else happens to him.

use anyhow::{Context as _, Result, ensure};
use injector_tests::injector::{Finished, Injector};

use crate::can_delay;

/// Runs a Python script under rules.
fn python(rules: &[&str], script: &str) -> Result<Finished> {
    let mut injector = Injector::new(["run", "--json", "--unsafe"])?;
    for rule in rules {
        injector = injector.words(["-e", &format!("inject={rule}")]);
    }
    let script = format!("{PRELUDE}{script}");
    injector.logged().command(&["python3", "-S", "-c", &script]).finish()?.expect(0)
}

/// `took(call)` prints its result or errno and its milliseconds.
const PRELUDE: &str = "
import os, signal, time
file = os.open('/tmp/lengths', os.O_RDWR | os.O_CREAT)
def took(call, *arguments):
    start = time.monotonic()
    try: result = call(*arguments)
    except OSError as error: result = error.errno
    print(result, int((time.monotonic() - start) * 1000))
";

/// Pairs of a result and milliseconds.
fn pairs(finished: &Finished) -> Result<Vec<(String, u64)>> {
    let lines = finished.stdout.lines().take_while(|line| !line.starts_with('{'));
    let pair = |line: &str| {
        let (result, time) = line.split_once(' ').with_context(|| line.to_owned())?;
        Ok((result.to_owned(), time.parse()?))
    };
    lines.map(pair).collect()
}

#[test]
fn a_call_takes_as_long_as_asked_and_no_processor() -> Result<()> {
    if !can_delay()? {
        return Ok(());
    }
    let script = "
before = time.thread_time()
for call in [os.fsync, os.fdatasync]:
    for _ in range(10): took(call, file)
print('cpu', int((time.thread_time() - before) * 1000))
";
    let finished = python(&["fsync:delay_enter=60ms", "fdatasync:delay_exit=60ms"], script)?;
    let mut found = pairs(&finished)?;
    let (_, cpu) = found.pop().context("no line")?;
    ensure!(found.len() == 20 && found.iter().all(|(_, time)| (60..400).contains(time)), "{found:?}");
    ensure!(cpu < 400, "{cpu} ms of a processor for 1200 ms of sleep");
    for (rule, end) in finished.report()?.rules.iter().zip(["delay_enter_ns", "delay_exit_ns"]) {
        assert_eq!(rule.fired, 10);
        let verdicts = finished.log.iter().map(|line| &line["verdict"]);
        assert_eq!(
            verdicts.filter(|&verdict| *verdict == serde_json::json!({ end: 60_000_000 })).count(),
            10
        );
    }
    Ok(())
}

#[test]
fn what_else_a_rule_does_is_done_as_well() -> Result<()> {
    if !can_delay()? {
        return Ok(());
    }
    let script = "
took(os.fsync, file)
took(os.fsync, file)
took(os.getuid)
took(os.fdatasync, file)
took(os.fdatasync, file)
os.setuid(65534)
took(os.getpgid, 0)
signal.signal(signal.SIGALRM, lambda *_: print('alarm', 0))
signal.setitimer(signal.ITIMER_REAL, 0.2)
took(os.getsid, 0)
";
    let rules = [
        "fsync:error=EIO:delay_enter=50ms:when=2",
        "getuid:retval=7:delay_exit=50ms",
        "fdatasync:delay_enter=30ms",
        "fdatasync:delay_enter=20ms:delay_exit=50ms:when=2",
        "getpgid:delay_enter=50ms",
        "getsid:delay_enter=600ms",
    ];
    let found = pairs(&python(&rules, script)?)?;
    let expected = [("None", 0), ("5", 50), ("7", 50), ("None", 30), ("None", 100)];
    for (found, (result, least)) in found.iter().zip(expected) {
        ensure!(found.0 == result && (least..1000).contains(&found.1), "{found:?}: {result} {least}");
    }
    ensure!(found.len() == 8 && found[5].1 >= 50, "who has no rights sleeps as well: {found:?}");
    // A signal waits for the end of the delay: its handler runs behind it, and before the call's end is told.
    ensure!(found[6].0 == "alarm" && found[7].1 >= 600, "{found:?}");
    Ok(())
}

#[test]
fn what_cannot_be_slept_is_refused() -> Result<()> {
    if !can_delay()? {
        return Ok(());
    }
    for (rule, options, words) in [
        ("fsync:delay_enter=2s", &["--max-call-delay", "1s"][..], "--max-call-delay 2s"),
        ("fsync:delay_exit=1ms:retval=0", &[], "leave out the delay or retval=0"),
    ] {
        let finished = Injector::run(rule)?.words(options).command(&["true"]).expect(125)?;
        ensure!(finished.stderr.contains(words), "{}", finished.stderr);
    }
    Injector::run("fsync:delay_enter=11s")?
        .words(["--max-call-delay", "12s"])
        .command(&["true"])
        .expect(0)?;
    Ok(())
}
