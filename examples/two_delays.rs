//! Two plans with delays at once, in a program with many threads: `cargo run --example two_delays -- PID PID`, as root.
//!
//! For five seconds the first process opens files 50 ms late, the second 200 ms; for five more both 100 ms.

use std::{
    env,
    error::Error,
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use injector::{child::ChildPlan, engine::RuleReport, plan::Options, target::Target};

type Failure = Box<dyn Error + Send + Sync>;

const HALF: Duration = Duration::from_secs(5);

fn main() -> Result<(), Failure> {
    // First of all: in the processes of the plans this does not return.
    injector::child::serve();
    let pids: Vec<u32> = env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let [one, other] = pids[..] else { return Err("usage: two_delays PID PID".into()) };
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Somebody always allocates, and has the allocator's lock at times.
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    black_box(vec![0_u8; 4096]);
                    thread::sleep(Duration::from_micros(100));
                }
            });
        }
        let plans = [(one, 50), (other, 200)].map(|(pid, delay)| scope.spawn(move || delayed(pid, delay)));
        let reports =
            plans.map(|plan| plan.join().unwrap_or_else(|_| Err("a plan's thread panicked".into())));
        over.store(true, Relaxed);
        for (pid, report) in [one, other].into_iter().zip(reports) {
            let RuleReport { text, fired, matched, .. } = report?;
            println!("{pid}: {fired} of {matched} late by `{text}`");
        }
        Ok(())
    })
}

/// Has the process open files so many milliseconds late, then 100.
fn delayed(pid: u32, milliseconds: u32) -> Result<RuleReport, Failure> {
    let rule = |milliseconds| format!("inject=openat:delay_enter={milliseconds}ms").parse();
    let mut plan = ChildPlan::start(&[rule(milliseconds)?], &[Target::pid(pid)?], &Options::default())?;
    println!("{pid}: {milliseconds} ms by plan {}", plan.id());
    thread::sleep(HALF);
    // Only a number differs: the rule goes on as the same rule.
    plan.update(&[rule(100)?])?;
    thread::sleep(HALF);
    Ok(plan.finish()?.rules.remove(0))
}
