//! What is refused, with the reason, and leaves all as it was.

use anyhow::{Result, ensure};
use injector_tests::{guest::Kernel, injector::Injector, victim::Steady};

use crate::{EIO, SLACK, attached, change, changed, operation, rule, rules_listed};

#[test]
fn a_refused_change_changes_nothing() -> Result<()> {
    let (kernel, name) = (Kernel::running()?, operation()?.name);
    let victim = Steady::start(operation()?)?;
    let steady = rule("error=EIO")?;
    let (injector, id) = attached(&victim, &[&steady])?;
    victim.board.wait_faults(SLACK)?;
    let before = victim.board.tally()?;
    let refused = |rules: &[&str], code: i32, said: &str| -> Result<()> {
        let stderr = change(&id, rules)?.expect(code)?.stderr;
        ensure!(stderr.contains(said) && stderr.contains("hint: "), "{rules:?}: {stderr}");
        assert_eq!(rules_listed()?, std::slice::from_ref(&steady), "{rules:?}");
        Ok(())
    };
    refused(&[&steady, &rule("error=EIOO")?], 2, "EIO")?;
    refused(&[&steady, "inject=fsnc:error=EIO"], 2, "fsync")?;
    refused(&[&steady, "inject=close:error=EIO"], 2, "dangerous")?;
    refused(&[&steady, "inject=exit_group:error=EIO"], 2, "never")?;
    refused(&vec![&*steady; 65], 2, "65 rules")?;
    // More than the plan was made for; where fewer calls can be caught, even all of them fit.
    if kernel.injects_calls() {
        refused(&[&steady, "inject=all:error=EIO:when=60000"], 2, "made with room for")?;
        // The rule that goes on sits at another backend.
        refused(&[&steady, &rule("retval=0")?], 2, "cannot be exchanged while it acts")?;
    } else {
        refused(&[&steady, &rule("retval=0")?], 3, name)?;
        refused(&[&steady, "inject=fsync:error=EIO"], 3, "fsync")?;
    }
    refused(&[], 2, "needs a rule or --for")?;
    let stderr = change(&id, &[&steady])?.words(["--for", "5"]).expect(2)?.stderr;
    ensure!(stderr.contains("unit"), "{stderr}");
    let now = victim.board.tally()?;
    assert_eq!((now.succeeded, now.error), (before.succeeded, EIO));
    // And it can still be changed.
    changed(&id, &[&steady, "inject=mkdir:error=EIO"])?;
    assert_eq!(rules_listed()?.len(), 2);
    injector.interrupt()?.expect(0)?;
    Ok(())
}

#[test]
fn what_a_target_cannot_have_is_refused_here_too() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let steady = rule("error=EIO")?;
    let mut injector =
        Injector::new(["attach", "--pid", &victim.pid().to_string(), "-e", &steady])?.start()?;
    let id = injector.begun()?;
    // It shares its network namespace with the whole machine.
    let refused = change(&id, &[&steady])?.words(["--net", "ingress : delay 10ms"]).expect(2)?;
    ensure!(refused.stderr.contains("delays or changes packets that come in"), "{}", refused.stderr);
    assert_eq!(rules_listed()?, std::slice::from_ref(&steady));
    changed(&id, &[&rule("error=EPERM")?])?;
    assert_eq!(victim.board.next(20)?.succeeded, 0);
    injector.interrupt()?.expect(0)?;
    Ok(())
}

#[test]
fn unknown_plans_are_named() -> Result<()> {
    let steady = rule("error=EIO")?;
    let none = change("deadbeef", &[&steady])?.expect(2)?;
    ensure!(none.stderr.contains("deadbeef") && none.stderr.contains("injector ps"), "{}", none.stderr);
    let victim = Steady::start(operation()?)?;
    let (first, id) = attached(&victim, &[&steady])?;
    let (second, _) = attached(&victim, &[&steady])?;
    let all = change("", &[&steady])?.expect(2)?;
    ensure!(all.stderr.contains("2 injections"), "{}", all.stderr);
    // The first digits will do.
    change(&id[..6], &[&steady])?.expect(0)?;
    first.interrupt()?.expect(0)?;
    second.interrupt()?.expect(0)?;
    Ok(())
}
