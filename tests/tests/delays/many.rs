//! More threads than programs that sleep: whoever is not delayed is counted, and soon nobody is.

use anyhow::{Context as _, Result, ensure};
use injector_tests::injector::Injector;

use crate::can_delay;

const SCRIPT: &str = "
import os, threading, time
file = os.open('/tmp/many', os.O_RDWR | os.O_CREAT)
for _ in range(ROUNDS):
    took = []
    together = threading.Barrier(THREADS)
    def go():
        together.wait()
        start = time.monotonic()
        os.fsync(file)
        took.append(time.monotonic() - start)
    threads = [threading.Thread(target=go) for _ in range(THREADS)]
    start = time.monotonic()
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(sum(time >= SECONDS for time in took), int((time.monotonic() - start) * 1000))
    time.sleep(0.8)
";

/// Runs so many threads, so many times, under a delay of `milliseconds` at one end of the call: for each time how many
/// were delayed, and how long all took together. Whoever was not delayed has to be counted.
fn rounds(end: &str, threads: u64, rounds: u64, milliseconds: u64) -> Result<Vec<(u64, u64)>> {
    let script = SCRIPT.replace("THREADS", &threads.to_string()).replace("ROUNDS", &rounds.to_string());
    let script = script.replace("SECONDS", &format!("{milliseconds} / 1000"));
    let finished =
        Injector::new(["run", "--json", "-e", &format!("inject=fsync@64:delay_{end}={milliseconds}ms")])?
            .command(&["python3", "-I", "-S", "-c", &script])
            .finish()?
            .expect(0)?;
    let lines = finished.stdout.lines().map(|line| {
        let (delayed, time) = line.split_once(' ').context("no pair")?;
        Ok((delayed.parse()?, time.parse()?))
    });
    let found: Vec<(u64, u64)> = lines.collect::<Result<_>>()?;
    assert_eq!(found.len() as u64, rounds);
    let delayed: u64 = found.iter().map(|(delayed, _)| delayed).sum();
    let report = finished.report()?;
    // With preempt=full the program that decides is skipped as well, where another thread was interrupted in it.
    let passed = threads * rounds - report.rules[0].fired;
    ensure!(passed <= report.skipped, "{passed} calls met no rule, and {} are told of", report.skipped);
    // A call that is not delayed can still take as long, on a machine that others use as well; but none that
    // was over sooner has been left out of the count.
    let (short, missed) = (threads * rounds - delayed, report.missed + passed);
    ensure!((short..=short + threads * rounds / 10).contains(&missed), "{missed} missed: {found:?}");
    ensure!(finished.stderr.contains("delays did not happen"), "{}", finished.stderr);
    Ok(found)
}

#[test]
fn whoever_is_not_delayed_is_counted_and_programs_become_more() -> Result<()> {
    const THREADS: u64 = 12;
    if !can_delay()? {
        return Ok(());
    }
    for end in ["enter", "exit"] {
        let rounds = rounds(end, THREADS, 4, 300)?;
        // There is room for all, but the scheduler may put many of them on one processor.
        let last = rounds[2].max(rounds[3]);
        // In parallel: one after the other they would take four seconds.
        ensure!(last.0 > rounds[0].0 && last.0 * 10 >= THREADS * 8 && last.1 < 3000, "{rounds:?}");
    }
    // More than there can ever be programs for.
    rounds("enter", 256, 1, 100)?;
    Ok(())
}
