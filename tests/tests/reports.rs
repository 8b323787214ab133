//! What is told: the table, the report and the log, and the options that change what is done and told.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    board::Board,
    cgroup::Scratch,
    guest::Kernel,
    injector::{Finished, Injector},
    patience,
    residue::{Census, Exceptions},
    victim::{self, Shape, Steady, run_calls, usual},
};
use serde_json::Value;

/// Runs a single thread that makes `calls` calls of `operation` under `injector`.
fn calls(injector: Injector, operation: &str, calls: usize) -> Result<(Board, Finished)> {
    let (board, folder) = (Board::new(1, calls)?, victim::folder()?);
    let finished = injector
        .command(&[victim::CALLS, operation, "0", "1", &calls.to_string()])
        .in_folder(board.stdin()?, folder.path())
        .expect(0)?;
    Ok((board, finished))
}

#[test]
fn every_injection_is_in_the_log() -> Result<()> {
    let kernel = Kernel::running()?;
    let operation = usual(kernel);
    let rule = format!("{}:error=EDQUOT:when=2+3", operation.name);
    let (board, finished) = calls(Injector::run(&rule)?.words(["--seed", "5"]).logged(), operation.name, 8)?;
    assert_eq!(board.failures(0)?, [2, 5, 8].map(|number| (number, libc::EDQUOT)));
    assert_eq!(finished.log.len(), 3, "{:#?}", finished.log);
    let mut before = 0;
    for (line, decision) in finished.log.iter().zip([2, 5, 8]) {
        let worker = board.worker(0)?;
        let number = |field: &str| line[field].as_u64().with_context(|| format!("{field} in {line:#}"));
        let text = |field: &str| line[field].as_str().with_context(|| format!("{field} in {line:#}"));
        assert_eq!(number("schema")?, 1);
        assert_eq!((number("rule")?, text("rule_text")?), (0, format!("inject={rule}").as_str()));
        assert_eq!(number("decision")?, decision);
        for field in ["pid", "ns_pid"] {
            assert_eq!(number(field)?, u64::from(worker.pid), "{field}");
        }
        for field in ["tid", "ns_tid"] {
            assert_eq!(number(field)?, u64::from(worker.tid), "{field}");
        }
        assert_eq!((text("comm")?, text("syscall")?), ("calls", operation.name));
        assert_eq!(number("number")?.cast_signed(), operation.number);
        assert_eq!(text("backend")?, if kernel.injects_calls() { "fmod_ret" } else { "hook" });
        assert_eq!(line["verdict"]["return"].as_i64(), Some(-i64::from(libc::EDQUOT)));
        assert_eq!(line["verdict"]["errno"], "EDQUOT");
        // fsync has one argument, read three: the last one is its length.
        let arguments = line["args"].as_array().context("no arguments")?;
        assert_eq!(arguments.len(), if operation.name == "fsync" { 1 } else { 3 });
        ensure!(arguments[0].as_u64().is_some_and(|descriptor| descriptor < 100), "{line:#}");
        ensure!(arguments.get(2).is_none_or(|length| *length == 1), "{line:#}");
        ensure!(
            number("time_ns")? > before && text("time")?.ends_with('Z') && !text("plan")?.is_empty(),
            "{line:#}"
        );
        before = number("time_ns")?;
    }
    Ok(())
}

/// Lines can be followed while the plan lives, and are there after a SIGKILL.
#[test]
fn the_log_is_written_at_once() -> Result<()> {
    let operation = usual(Kernel::running()?);
    let (victim, folder) = (Steady::start(operation)?, victim::folder()?);
    let log = folder.path().join("log");
    let mut injector = Injector::attach(victim.cgroup.path(), &format!("{}:error=EIO", operation.name))?
        .word("--log")
        .word(&log)
        .start()?;
    injector.begun()?;
    let lines = |log: &Path| -> Result<usize> {
        let text = fs::read_to_string(log)?;
        let whole = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok());
        Ok(whole.count())
    };
    patience::until("ten lines in the log", patience::LONG, || Ok(lines(&log)? >= 10))?;
    let before = lines(&log)?;
    injector.signal(nix::sys::signal::Signal::SIGKILL)?;
    injector.finish()?;
    ensure!(lines(&log)? >= before);
    Ok(())
}

#[test]
fn the_table_counts_and_warns() -> Result<()> {
    let operation = usual(Kernel::running()?);
    let name = operation.name;
    let injector = Injector::new(["run"])?
        .words(["-e", &format!("inject={name}:error=EIO:when=2")])
        .words(["-e", "inject=rename:error=EIO"])
        .words(["-e", &format!("inject={name}:error=EIO:when=9")]);
    let (_, finished) = calls(injector, name, 4)?;
    let said = &finished.stderr;
    let row = |number: &str| {
        said.lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .find(|words| words.first() == Some(&number))
            .with_context(|| format!("no row of rule {number} in: {said}"))
    };
    assert_eq!(row("0")?[1..3], ["4", "1"]);
    assert_eq!(row("1")?[1..3], ["0", "0"]);
    assert_eq!(row("2")?[1..3], ["4", "0"]);
    ensure!(row("2")?.join(" ").contains("when 4"), "{said}");
    ensure!(said.contains("rule 1 never matched"), "{said}");
    ensure!(said.contains("rule 2 matched, but never fired"), "{said}");
    assert_eq!(finished.stdout, "");
    Ok(())
}

#[test]
fn several_rules_on_one_call() -> Result<()> {
    // All count; the first that fires decides; one that is overruled does not use up its `times=`.
    let name = usual(Kernel::running()?).name;
    let injector = Injector::new(["run", "--json"])?
        .words(["-e", &format!("inject={name}:error=EIO:when=2..4")])
        .words(["-e", &format!("inject={name}:error=ENOSPC:when=3+:times=2")])
        .words(["--syscall", &format!("{name}:error=EDQUOT:when=4+")]);
    let (board, finished) = calls(injector, name, 8)?;
    let (eio, enospc, edquot) = (libc::EIO, libc::ENOSPC, libc::EDQUOT);
    let expected = [(2, eio), (3, eio), (4, eio), (5, enospc), (6, enospc), (7, edquot), (8, edquot)];
    assert_eq!(board.failures(0)?, expected);
    let rules = finished.report()?.rules;
    let counts: Vec<_> =
        rules.iter().map(|rule| (rule.matched, rule.fired, rule.suppressed_by("overruled"))).collect();
    assert_eq!(counts, [(8, 3, 0), (8, 2, 2), (8, 2, 3)]);
    Ok(())
}

#[test]
fn monitoring_counts_and_injects_nothing() -> Result<()> {
    let name = usual(Kernel::running()?).name;
    let injector =
        Injector::run(&format!("{name}:error=EIO:when=2+2"))?.words(["--monitor", "--json"]).logged();
    let (board, finished) = calls(injector, name, 10)?;
    assert!(board.failures(0)?.is_empty());
    let counts = &finished.report()?.rules[0];
    assert_eq!((counts.matched, counts.fired), (10, 0));
    assert_eq!((counts.suppressed_by("monitored"), counts.suppressed_by("when")), (5, 5));
    // A log of injections has none of what was not injected, or marks it.
    ensure!(
        finished.log.iter().all(|line| line["monitored"] == true || line["verdict"]["monitored"] == true),
        "{:#?}",
        finished.log
    );

    let target = Scratch::new()?;
    let mut injector =
        Injector::attach(target.path(), &format!("{name}:error=EIO"))?.word("--monitor").start()?;
    injector.begun()?;
    let listed = Injector::new(["ps", "--json"])?.expect(0)?;
    let listed: Value = serde_json::from_str(&listed.stdout)?;
    assert_eq!(listed[0]["monitor"], true);
    injector.interrupt()?.expect(0)?;
    Ok(())
}

#[test]
fn a_dry_run_does_nothing() -> Result<()> {
    let (kernel, census, folder) = (Kernel::running()?, Census::take()?, victim::folder()?);
    let name = usual(kernel).name;
    let trace = folder.path().join("ran");
    let rule = format!("{name}:error=EIO:prob=5%");
    let run = Injector::run(&rule)?
        .words(["--dry-run", "--net", "both tcp port 80 : loss 5%", "--seed", "99", "--for", "1m"])
        .command(&["touch", &trace.display().to_string()])
        .expect(0)?;
    ensure!(!trace.exists(), "the command ran");
    let place = if kernel.injects_calls() { "__x64_sys_fsync" } else { "security_file_permission" };
    for text in [rule.as_str(), "both tcp port 80 : loss 5%", "99", "1m", place] {
        ensure!(run.stdout.contains(text), "`{text}` is not in the plan: {}", run.stdout);
    }
    let target = Scratch::new()?;
    let attach = Injector::attach(target.path(), &rule)?.word("--dry-run").expect(0)?;
    let name = target.path().file_name().context("no name")?.to_string_lossy().into_owned();
    ensure!(attach.stdout.contains(&name) && attach.stdout.contains("5m"), "{}", attach.stdout);
    drop(target);
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn expecting_that_every_rule_fires() -> Result<()> {
    let name = usual(Kernel::running()?).name;
    let (fires, idle) =
        (format!("inject={name}:error=EIO:when=2"), format!("inject={name}:error=EIO:when=50"));
    let run = |rules: &[&str], command: &[&str]| -> Result<i32> {
        let (board, folder) = (Board::new(1, 3)?, victim::folder()?);
        let mut injector = Injector::new(["run", "--expect-fired"])?;
        for rule in rules {
            injector = injector.words(["-e", rule]);
        }
        Ok(injector.command(command).in_folder(board.stdin()?, folder.path()).finish()?.code)
    };
    let victim = [victim::CALLS, name, "0", "1", "3"];
    assert_eq!(run(&[&fires], &victim)?, 0);
    assert_eq!(run(&[&idle], &victim)?, 125);
    assert_eq!(run(&[&fires, &idle], &victim)?, 125);
    // A command's own failure counts for more, and the report tells both.
    assert_eq!(run(&[&idle], &["sh", "-c", "exit 3"])?, 3);
    let options = ["run", "--expect-fired", "--json", "-e", &idle];
    let both = Injector::new(options)?.command(&["sh", "-c", "exit 3"]).expect(3)?.stderr;
    let said = "--expect-fired: rule 0 never fired; the exit code is the command's own, 3";
    ensure!(both.contains(said), "{both}");
    let report = &both[both.find("{\n").context("no report")?..];
    let report = serde_json::Deserializer::from_str(report).into_iter::<Value>().next();
    let report = report.context("no report")??;
    assert_eq!(report["expected"], serde_json::json!({ "met": false, "idle": [0], "unmet": [] }));
    assert_eq!(report["command_code"], 3);

    let target = Scratch::new()?;
    let attach = Injector::attach(target.path(), &format!("{name}:error=EIO"))?.words([
        "--expect-fired",
        "--for",
        "1s",
    ]);
    attach.expect(1)?;
    let steady = Steady::start(usual(Kernel::running()?))?;
    let attach = Injector::attach(steady.cgroup.path(), &format!("{name}:error=EIO"))?;
    attach.words(["--expect-fired", "--for", "2s"]).expect(0)?;
    Ok(())
}

#[test]
fn json_of_attach_is_all_of_stdout() -> Result<()> {
    let operation = usual(Kernel::running()?);
    let victim = Steady::start(operation)?;
    let injector = Injector::attach(victim.cgroup.path(), &format!("{}:error=EIO", operation.name))?;
    let finished = injector.words(["--json", "--for", "2s", "--seed", "3"]).expect(0)?;
    let report: Value = serde_json::from_str(&finished.stdout).context(finished.stdout)?;
    assert_eq!((&report["seed"], &report["monitor"]), (&Value::from(3), &Value::Bool(false)));
    ensure!(report["rules"][0]["fired"].as_u64().is_some_and(|fired| fired > 0), "{report:#}");
    Ok(())
}

/// More injections than the log can take in time: what is lost is counted, and the faults happen.
#[test]
fn a_flood_of_injections_is_counted() -> Result<()> {
    let operation = usual(Kernel::running()?);
    let (folder, shape) = (victim::folder()?, Shape { processes: 2, threads: 2, calls: 20_000 });
    let rule = format!("inject={}:error=EIO", operation.name);
    let (_, finished) = run_calls(&["-e".into(), rule], operation.name, shape, folder.path())?;
    let report = finished.report()?;
    assert_eq!(report.rules[0].fired, 80_000);
    assert_eq!(finished.log.len() as u64 + report.lost_events, 80_000);
    eprintln!("{} of 80000 events were lost", report.lost_events);
    Ok(())
}
