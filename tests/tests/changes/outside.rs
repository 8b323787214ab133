//! What the rules of a change name outside of the kernel: files and hosts. Whoever asks reads them, so nothing that
//! cannot be read holds up the live plan.

use std::{fs, path::Path, process::Stdio, time::Instant};

use anyhow::{Context, Result, ensure};
use injector_tests::{guest, injector::Injector, victim::Steady};
use nix::{
    sys::{signal::Signal, stat::Mode},
    unistd::mkfifo,
};

use crate::{SLACK, attached, change, operation, rule, rules_listed};

/// Meets nobody, but its distribution has to be read all the same.
fn delayed(distribution: &str) -> String {
    format!("to 192.0.2.77 : delay 20ms 5ms distribution {distribution}")
}

#[test]
fn a_live_plan_waits_for_no_file() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    mkfifo(&path("fifo"), Mode::S_IRWXU)?;
    fs::write(path("large"), "1 ".repeat(1 << 20))?;
    let unreadable = [
        (path("fifo"), "it is not a regular file"),
        (Path::new("/dev/zero").into(), "it is not a regular file"),
        (path("large"), "it is larger than 1 MiB"),
        (path("missing"), "No such file"),
    ];
    let steady = rule("error=EIO")?;
    for round in 0..if guest::full() { 50 } else { 4 } {
        let victim = Steady::start(operation()?)?;
        let (injector, id) = attached(&victim, &[&steady])?;
        let (path, why) = &unreadable[round % unreadable.len()];
        let file = path.to_str().context("not UTF-8")?;
        let refused = change(&id, &[&steady])?.words(["--net", &delayed(file)]).expect(2)?;
        ensure!(refused.stderr.contains(why) && refused.stderr.contains(file), "{}", refused.stderr);
        assert_eq!(rules_listed()?, std::slice::from_ref(&steady));
        assert_eq!(victim.board.next(20)?.succeeded, 0, "its lease did not run out");
        let start = Instant::now();
        injector.signal(Signal::SIGTERM)?;
        injector.finish()?.expect(0)?;
        ensure!(start.elapsed() < SLACK, "{file}: {:?} from SIGTERM to the end", start.elapsed());
    }
    Ok(())
}

#[test]
fn files_and_hosts_are_those_of_whoever_asks() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let here = |injector: Injector| injector.in_folder(Stdio::null(), folder.path());
    let victim = Steady::start(operation()?)?;
    let steady = rule("error=EIO")?;
    let (injector, id) = attached(&victim, &[&steady])?;
    let values: Vec<_> = (-200..200).map(|value: i32| value.to_string()).collect();
    fs::write(folder.path().join("own.dist"), values.join(" "))?;
    let rules = ["--net", &delayed("./own.dist"), "--net", "to localhost dport 9 : loss 1%"];
    here(change(&id, &[&steady])?.words(rules)).expect(0)?;
    assert_eq!(rules_listed()?.len(), 3);
    // What goes on needs neither any more.
    fs::remove_file(folder.path().join("own.dist"))?;
    here(change(&id, &[&steady])?.words(rules)).expect(0)?;
    let refused = change(&id, &[&steady])?.words(["--net", "to nosuch.invalid : loss 1%"]).expect(2)?;
    ensure!(refused.stderr.contains("cannot find the host `nosuch.invalid`"), "{}", refused.stderr);
    assert_eq!(rules_listed()?.len(), 3);
    injector.interrupt()?.expect(0)?;
    Ok(())
}
