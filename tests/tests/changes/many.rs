//! Several who want to change the same plan, from elsewhere, or who do not live to see the answer.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use injector_tests::{
    guest,
    injector::Running,
    residue::{Census, Exceptions},
    victim::Steady,
};
use nix::sys::signal::Signal;

use crate::{SLACK, attached, change, changed, operation, rule, rules_listed};

/// Of two at the same time one wins, and the other learns that it has not.
#[test]
fn of_two_changes_at_once_one_is_made() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let (injector, id) = attached(&victim, &[&rule("error=EIO")?])?;
    let mut told = 0;
    for nth in 0..8 {
        let rules = [
            rule(&format!("error=EIO:when={}", 2 * nth + 2))?,
            rule(&format!("error=EPERM:when={}", 2 * nth + 3))?,
        ];
        let started = [change(&id, &[&rules[0]])?.start()?, change(&id, &[&rules[1]])?.start()?];
        let [first, second] = started.map(Running::finish);
        let (first, second) = (first?, second?);
        let listed = rules_listed()?;
        for (finished, rule) in [(&first, &rules[0]), (&second, &rules[1])] {
            match finished.code {
                0 => {}
                1 => {
                    told += 1;
                    ensure!(finished.stderr.contains("somebody else"), "{}", finished.stderr);
                    ensure!(!listed.contains(rule), "{rule} acts all the same");
                }
                code => panic!("exit code {code}: {}", finished.stderr),
            }
        }
        ensure!(first.code == 0 || second.code == 0, "{} {}", first.stderr, second.stderr);
        ensure!(listed.len() == 1 && rules.contains(&listed[0]), "{listed:?}");
    }
    ensure!(told > 0, "they never met");
    injector.interrupt()?.expect(0)?;
    Ok(())
}

/// Whoever asks may die at any moment: the plan has either rules, whole, and goes on.
#[test]
fn a_killed_changer_leaves_nothing_half_done() -> Result<()> {
    let census = Census::take()?;
    let victim = Steady::start(operation()?)?;
    let steady = rule("error=EIO")?;
    let (injector, id) = attached(&victim, &[&steady])?;
    victim.board.wait_faults(SLACK)?;
    let before = victim.board.tally()?;
    for nth in 0..12u32 {
        let other = rule(&format!("error=EPERM:when={}", 50_000 + nth))?;
        let had = rules_listed()?;
        let changer = change(&id, &[&steady, &other])?.start()?;
        thread::sleep(Duration::from_millis(u64::from(nth) * 25));
        changer.signal(Signal::SIGKILL)?;
        let _ = changer.finish()?;
        // What was asked for in full may still be done.
        thread::sleep(Duration::from_millis(700));
        let has = rules_listed()?;
        ensure!(has == had || has == [steady.clone(), other], "{has:?}");
        assert_eq!(victim.board.tally()?.succeeded, before.succeeded);
    }
    changed(&id, &[&steady])?;
    assert_eq!(rules_listed()?, [steady]);
    injector.interrupt()?.expect(0)?;
    drop(victim);
    census.gone(Exceptions::None)?;
    Ok(())
}

/// The plan is found through the kernel: other namespaces are no hindrance.
#[test]
fn other_namespaces_are_no_hindrance() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let (injector, id) = attached(&victim, &[&rule("error=EIO")?])?;
    let other = rule("error=EPERM")?;
    let status = Command::new("unshare")
        .args(["--net", "--mount", "--ipc", "--uts", "--pid", "--fork"])
        .arg(guest::injector()?)
        .args(["change", &id, "-e", &other])
        .status()?;
    ensure!(status.success(), "{status}");
    assert_eq!(rules_listed()?, [other]);
    injector.interrupt()?.expect(0)?;
    Ok(())
}

/// An injector that is stopped does not find the request when it goes on.
#[test]
fn a_stopped_injector_is_not_waited_for() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let steady = rule("error=EIO")?;
    let (injector, id) = attached(&victim, &[&steady])?;
    injector.signal(Signal::SIGSTOP)?;
    let start = Instant::now();
    let refused = change(&id, &[&rule("error=EPERM")?])?.expect(1)?;
    ensure!(refused.stderr.contains("does not answer; nothing has changed"), "{}", refused.stderr);
    ensure!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
    injector.signal(Signal::SIGCONT)?;
    thread::sleep(Duration::from_secs(1));
    assert_eq!(rules_listed()?, [steady]);
    injector.interrupt()?.expect(0)?;
    Ok(())
}
