//! Which calls fail: exactly those that the rules name, by number, by chance, by count; told for every
//! thread of a tree of processes, against a model that knows nothing of the kernel.

mod count;
mod model;

use std::{collections::BTreeSet, path::Path, time::Instant};

use anyhow::{Result, ensure};
use injector_tests::{
    injector::Finished,
    model::{Decider, positions},
    victim::{Operation, Shape, run_calls},
};

const SEED: u64 = 20_261_121;

const TREE: Shape = Shape { processes: 8, threads: 8, calls: 1000 };

/// A rule and what it has to do.
struct Case {
    actions: &'static str,
    errno: i32,
    model: Decider,
}

/// Three rules on one call: all count, the first that fires decides.
fn cases() -> [Case; 3] {
    let model = |number| Decider::new(SEED, number);
    [
        Case { actions: "error=EIO:when=3", errno: libc::EIO, model: model(0).when(3, Some(3), 1) },
        Case { actions: "error=ENOSPC:prob=10%", errno: libc::ENOSPC, model: model(1).percent(10) },
        Case {
            actions: "error=EDQUOT:when=20..200+9:prob=50%",
            errno: libc::EDQUOT,
            model: model(2).when(20, Some(200), 9).percent(50),
        },
    ]
}

/// Runs the tree on `operation` under [`cases`], in `folder`, and compares every call of every thread, the
/// log and the report with the model. Calls that the kernel let pass unseen (`skipped`) are an error.
fn agrees_with_model(operation: Operation, shape: Shape, folder: &Path) -> Result<Finished> {
    let cases = cases();
    // A few calls that the victims can bear need it; it changes nothing else.
    let mut options = vec!["--unsafe".to_owned(), "--seed".to_owned(), SEED.to_string()];
    for case in &cases {
        options.extend(["-e".to_owned(), format!("inject={}:{}", operation.name, case.actions)]);
    }
    let start = Instant::now();
    let (board, finished) = run_calls(&options, operation.name, shape, folder)?;
    eprintln!("{} x {}: {:.1} s", shape.workers(), shape.calls, start.elapsed().as_secs_f64());
    let report = finished.report()?;
    ensure!(report.skipped == 0, "the kernel skipped {} runs", report.skipped);

    let mut fired = [0u64; 3];
    let mut in_log = BTreeSet::new();
    for (worker, position) in positions(shape.processes, shape.threads).into_iter().enumerate() {
        let mut expected = Vec::new();
        for number in 1..=shape.calls {
            let decides = cases.iter().position(|case| case.model.fires(position, operation.number, number));
            if let Some(rule) = decides {
                expected.push((number, cases[rule].errno));
                fired[rule] += 1;
                in_log.insert((format!("{position:016x}"), number as u64, rule as u64));
            }
        }
        assert_eq!(board.failures(worker)?, expected, "worker {worker} at position {position:016x}");
    }

    // The command may make such calls itself, beside its workers' (reads of its start, say); none here does.
    let calls = (shape.workers() * shape.calls) as u64;
    for (rule, counts) in report.rules.iter().enumerate() {
        assert_eq!((counts.matched, counts.fired), (calls, fired[rule]), "rule {rule}: {counts:?}");
        assert_eq!(counts.suppressed.values().sum::<u64>(), calls - fired[rule], "rule {rule}: {counts:?}");
    }
    assert_eq!(report.lost_events, 0);
    let logged: BTreeSet<_> = finished
        .log
        .iter()
        .map(|line| {
            let number = |field: &str| line[field].as_u64().unwrap_or(u64::MAX);
            (
                line["tree_position"].as_str().unwrap_or_default().to_owned(),
                number("decision"),
                number("rule"),
            )
        })
        .collect();
    assert_eq!(logged.len(), finished.log.len(), "an injection is in the log twice");
    assert_eq!(logged, in_log);
    Ok(finished)
}
