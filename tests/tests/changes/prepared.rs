//! Plans that are prepared for what a change may bring: rules that are not there yet, and what hosts mean.

use anyhow::{Result, ensure};
use injector_tests::{injector::Injector, victim::Steady};

use crate::{SLACK, begun, change, changed, listed, operation, rule, rules_listed};

/// An idle plan does nothing until a change brings a rule, which may then ask for paths.
#[test]
fn an_idle_plan_waits_for_its_rules() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let steady = rule("error=EIO")?;
    let idle = Injector::new(["attach", "--json", "--cgroup"])?
        .word(victim.cgroup.path())
        .words(["--prepare", &steady, "--prepare", "io=mkdir:error=EIO:path=/srv/**"])
        .words(["--prepare", "net=udp : loss 5%"]);
    let (injector, id) = begun(idle)?;
    let plan = listed()?;
    ensure!(plan["idle"] == true && plan["rules"].as_array().is_some_and(Vec::is_empty), "{plan:#}");
    let table = Injector::new(["ps"])?.expect(0)?.stdout;
    ensure!(table.contains("(idle)"), "{table}");
    // A number that was paused before its rule came would begin paused.
    for rule in [&[][..], &["--rule", "0"]] {
        let refused = Injector::new(["pause", &id])?.words(rule).expect(2)?.stderr;
        ensure!(refused.contains("is idle"), "{refused}");
    }
    victim.board.next(20)?;
    assert_eq!(victim.board.tally()?.failed, 0);
    let object = "io=mkdir:error=EIO:path=/srv/nobody/*";
    let said = changed(&id, &[&steady, object, "net=udp : loss 10%"])?.stderr;
    ensure!(said.contains("0 kept, 3 added, 0 removed"), "{said}");
    victim.board.wait_faults(SLACK)?;
    ensure!(listed()?["idle"] == false);
    let finished = injector.interrupt()?.expect(0)?;
    let report = finished.report()?;
    ensure!(report.rules[0].fired > 0 && !report.rules[0].removed, "{report:#?}");
    ensure!(finished.stderr.contains("idle until a change brings rules"), "{}", finished.stderr);
    Ok(())
}

/// What `--host` says stands in front of the resolver, for rules that a change brings as well. RFC 6761, 6.4: `.invalid`
/// never exists.
#[test]
fn hosts_can_be_given() -> Result<()> {
    let victim = Steady::start(operation()?)?;
    let steady = rule("error=EIO")?;
    let with = |hosts: &[&str]| -> Result<Injector> {
        let injector = Injector::new(["attach", "--json", "--cgroup"])?.word(victim.cgroup.path());
        Ok(hosts.iter().fold(injector, |injector, host| injector.words(["--host", host])))
    };
    for (host, why) in [("db", "a name, `=` and addresses"), ("db=here", "`here` is not an IP address")] {
        let refused = with(&[host])?.words(["-e", &steady]).expect(2)?.stderr;
        ensure!(refused.contains(why), "{refused}");
    }
    let given = with(&["db.invalid=192.0.2.1", "db.invalid=192.0.2.2", "Other.invalid=192.0.2.3"])?;
    let begin = given.words(["-e", &steady, "--net", "to db.invalid : loss 1%"]);
    let (injector, id) = begun(begin)?;
    let told = "net=to other.invalid : loss 1%";
    let said = changed(&id, &[&steady, told])?.stderr;
    ensure!(said.contains("other.invalid is 192.0.2.3"), "{said}");
    assert_eq!(rules_listed()?, [steady.as_str(), told]);
    let refused = change(&id, &[&steady, "net=to third.invalid : loss 1%"])?.expect(2)?.stderr;
    ensure!(refused.contains("cannot find the host `third.invalid`"), "{refused}");
    let finished = injector.interrupt()?.expect(0)?;
    ensure!(finished.stderr.contains("db.invalid is 192.0.2.1, 192.0.2.2"), "{}", finished.stderr);
    Ok(())
}
