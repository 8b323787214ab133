//! Delays that vary: each is the one that the model draws from the seed, and no call is shorter than those of all
//! rules that fired on it.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use injector::distribution;
use injector_common::{
    delay::{Delay, UNIFORM},
    wait::{BEFORE, BEHIND},
};
use injector_tests::{guest::Kernel, injector::Injector, model, model::Decider, victim};

const CALLS: usize = 40;
const SEED: u64 = 20;
const MILLISECOND: u64 = 1_000_000;

/// Measured latencies: most near 4 ms, one of ten ten times as long.
const LATENCIES: &str = "3.5ms 3.7ms 3.8ms 3.9ms 4ms 4.1ms 4.2ms 4.4ms 4.6ms 40ms # of a disk";

const SCRIPT: &str = "
import os, time
file = os.open('/tmp/drawn', os.O_RDWR | os.O_CREAT)
for _ in range(COUNT):
    start = time.monotonic_ns()
    try: CALL
    except OSError: pass
    print(time.monotonic_ns() - start)
";

/// Microseconds.
const fn delay(base: u64, jitter: u64, table: u32) -> Delay {
    Delay { base: base * 1000, jitter: jitter * 1000, table, ..Delay::NONE }
}

#[test]
fn calls_wait_as_long_as_the_model_draws() -> Result<()> {
    let kernel = Kernel::running()?;
    if !kernel.injects_calls() && !kernel.delays_at_hooks() {
        return Ok(());
    }
    let file = "/tmp/drawn:disk.dist";
    fs::write(file, LATENCIES)?;
    // Behind a call there is no hook.
    let by_hook = !kernel.injects_calls();
    let (call, words, script) = if by_hook {
        (victim::OPENAT, ":flags&O_NOCTTY", "os.close(os.open('/dev/null', os.O_RDONLY | os.O_NOCTTY))")
    } else {
        (victim::FSYNC, ":delay_exit=2ms~500us", "os.fsync(file)")
    };
    let name = call.name;
    let rules = [
        format!("{name}:delay_enter=5ms~4ms:prob=50%{}", if by_hook { words } else { "" }),
        format!("{name}:delay_enter=3ms~1ms:error=EIO:distribution=normal:when=1+2{words}"),
        format!(
            "{name}:delay_enter=4ms~2ms:distribution=/tmp/drawn\\:disk.dist{}",
            if by_hook { words } else { "" }
        ),
    ];
    let options = rules.iter().flat_map(|rule| ["-e".to_owned(), format!("inject={rule}")]);
    let script = SCRIPT.replace("COUNT", &CALLS.to_string()).replace("CALL", script);
    let finished = Injector::new(["run", "--json", "--seed", &SEED.to_string()])?
        .words(options)
        .logged()
        .command(&["python3", "-S", "-c", &script])
        .finish()?
        .expect(0)?;

    let (normal, measured) = (distribution::normal(), distribution::read(Path::new(file))?);
    let decider = |rule| Decider::new(SEED, rule);
    let drawn = [
        (decider(0).percent(50), delay(5000, 4000, UNIFORM), None),
        (decider(1).when(1, None, 2), delay(3000, 1000, 0), Some(&*normal)),
        (decider(2), delay(4000, 2000, 1), Some(&*measured)),
    ];
    let mut least = vec![0; CALLS];
    let mut expected = Vec::new();
    for (number, least) in (1..=CALLS).zip(&mut least) {
        for (rule, (decider, delay, table)) in (0_u64..).zip(&drawn) {
            if !decider.fires(model::root(), call.number, number) {
                continue;
            }
            let before = decider.waits(model::root(), call.number, number, (BEFORE, delay), *table);
            let exit = self::delay(2000, 500, 0);
            let behind = (rule == 1 && !by_hook)
                .then(|| decider.waits(model::root(), call.number, number, (BEHIND, &exit), *table));
            *least += before + behind.unwrap_or_default();
            expected.push((rule, number as u64, Some(before), behind));
        }
    }
    let told: Vec<_> = finished
        .log
        .iter()
        .map(|line| {
            let field = |path: &str| line.pointer(path).and_then(serde_json::Value::as_u64);
            let wait = |end: &str| field(&format!("/verdict/delay_{end}_ns"));
            Ok((
                field("/rule").context("no rule")?,
                field("/decision").context("no number")?,
                wait("enter"),
                wait("exit"),
            ))
        })
        .collect::<Result<_>>()?;
    assert_eq!(told, expected);

    let lines = finished.stdout.lines().take_while(|line| !line.starts_with('{'));
    let took: Vec<u64> = lines.map(|line| line.parse().context("no time")).collect::<Result<_>>()?;
    assert_eq!(took.len(), CALLS);
    let report = finished.report()?;
    assert_eq!(report.missed, 0);
    let early: Vec<_> = took.iter().zip(&least).filter(|(took, least)| took < least).collect();
    ensure!(early.is_empty(), "too early: {early:?}");
    // On a busy machine some are late, but not most of them.
    let late = took.iter().zip(&least).filter(|&(took, least)| *took > least + 30 * MILLISECOND).count();
    ensure!(late <= CALLS / 2, "late: {took:?} instead of {least:?}");
    Ok(())
}
