//! What scripts and supervisors use: the report in a file, expectations, readiness, names, the background, JSON.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    guest,
    injector::Injector,
    patience::{LONG, until},
    residue::{Census, Exceptions},
    victim::{self, READ, Steady},
};
use serde_json::Value;

/// For a victim that reads all the time.
const RULE: &str = "read:error=EIO";

/// For a command: the dynamic loader makes no directory.
const MKDIR: &str = "mkdir:error=EIO";

/// Meets that rule once.
const MEETS: &str = "mkdir /tmp/scripts 2> /dev/null; echo mine";

fn json(text: &str) -> Result<Value> {
    serde_json::from_str(text).with_context(|| format!("not JSON: {text}"))
}

fn read(path: &Path) -> Result<Value> {
    json(&fs::read_to_string(path)?)
}

#[test]
fn the_report_is_in_its_file_with_all_that_a_script_asks_for() -> Result<()> {
    let (victim, folder) = (Steady::start(READ)?, victim::folder()?);
    let path = folder.path().join("report.json");
    let injector = Injector::attach(victim.cgroup.path(), RULE)?.word("--report").word(&path);
    let finished = injector
        .words(["--name", "bad-disk", "--for", "1s", "--expect", "rule 0 fired>=1", "--expect", "matched>0"])
        .expect(0)?;
    ensure!(finished.stderr.contains("matched"), "the table is printed as well: {}", finished.stderr);
    let report = read(&path)?;
    assert_eq!((report["exit_code"].as_u64(), report["ending"].as_str()), (Some(0), Some("deadline")));
    assert_eq!((report["name"].as_str(), &report["expected"]["met"]), (Some("bad-disk"), &true.into()));
    ensure!(report["rules"][0]["fired"].as_u64() > Some(0), "{report:#}");
    let name = victim.cgroup.path().file_name().context("no name")?.to_string_lossy().into_owned();
    ensure!(report["targets"][0].as_str().is_some_and(|target| target.ends_with(&name)), "{report:#}");
    let time = |field: &str| report[field].as_str().map(ToOwned::to_owned).context("no time");
    ensure!(time("started")? < time("ended")? && time("ended")?.ends_with('Z'), "{report:#}");
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    Ok(())
}

#[test]
fn a_command_keeps_its_code_and_the_report_has_both() -> Result<()> {
    let folder = victim::folder()?;
    let path = folder.path().join("report.json");
    for (script, words, code) in [
        ("exit 7", &["--expect-fired"][..], 7),
        ("exit 0", &["--expect-fired"], 125),
        ("exit 0", &["--expect-not-fired"], 0),
        (MEETS, &["--expect-not-fired"], 125),
        ("exit 0", &["--expect", "fired<1"], 0),
        ("exit 0", &["--expect", "rule 1 fired<1"], 125),
    ] {
        let injector = Injector::run(MKDIR)?.word("--report").word(&path).words(words);
        let finished = injector.command(&["sh", "-c", script]).expect(code)?;
        let report = read(&path)?;
        let own = if script == "exit 7" { 7 } else { 0 };
        assert_eq!(report["command_code"], own, "{script} {words:?}");
        assert_eq!(report["exit_code"], code, "{script} {words:?}");
        assert_eq!(report["ending"], "command-ended");
        let said = finished.stderr.contains("never fired") || finished.stderr.contains("expected ");
        assert_eq!(said, report["expected"]["met"] == false, "{}", finished.stderr);
    }
    Ok(())
}

#[test]
fn the_log_goes_to_a_stream() -> Result<()> {
    let victim = Steady::start(READ)?;
    let injector = Injector::attach(victim.cgroup.path(), RULE)?.words(["--for", "1s", "--log", "-"]);
    let finished = injector.expect(0)?;
    let first = json(finished.stdout.lines().next().context("no line")?)?;
    assert_eq!(first["syscall"], "read");
    // Under `run` stdout is the command's.
    let injector = Injector::run(MKDIR)?.words(["--log", "-"]);
    let finished = injector.command(&["sh", "-c", MEETS]).expect(0)?;
    assert_eq!(finished.stdout, "mine\n");
    ensure!(finished.stderr.lines().any(|line| line.starts_with('{')), "{}", finished.stderr);
    let both = Injector::attach(victim.cgroup.path(), RULE)?.words(["--json", "--log", "-"]).expect(2)?;
    ensure!(both.stderr.contains("one stream"), "{}", both.stderr);
    Ok(())
}

#[test]
fn who_waits_is_told_when_the_rules_are_in_place() -> Result<()> {
    let (victim, folder) = (Steady::start(READ)?, victim::folder()?);
    let (ready, socket) = (folder.path().join("ready"), folder.path().join("notify"));
    let manager = UnixDatagram::bind(&socket)?;
    manager.set_read_timeout(Some(LONG))?;
    let script = r#"exec "$0" attach --cgroup "$1" -e inject=read:error=EIO --ready-fd 3 3> "$2""#;
    let mut injector = Command::new("sh")
        .args(["-c", script])
        .arg(guest::injector()?)
        .args([victim.cgroup.path(), &ready])
        .env("NOTIFY_SOCKET", &socket)
        .stderr(Stdio::null())
        .spawn()?;
    let told = until("the line of readiness", LONG, || {
        Ok(fs::read_to_string(&ready).is_ok_and(|line| line.ends_with('\n')))
    });
    let line = fs::read_to_string(&ready);
    let mut message = [0; 512];
    let length = manager.recv(&mut message);
    injector.kill()?;
    injector.wait()?;
    told?;
    let (line, message) = (line?, String::from_utf8_lossy(&message[..length?]).into_owned());
    ensure!(line.len() == 9 && line.trim_end().chars().all(|c| c.is_ascii_hexdigit()), "{line:?}");
    ensure!(message.contains("READY=1") && message.contains(line.trim_end()), "{message:?}");
    for (descriptor, why) in [("77", "nothing is open"), ("2", "above 2"), ("x", "a number")] {
        let refused = Injector::attach(victim.cgroup.path(), RULE)?.words(["--ready-fd", descriptor]);
        let refused = refused.expect(2)?;
        ensure!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    Ok(())
}

#[test]
fn in_the_background_by_its_name() -> Result<()> {
    let (victim, folder, census) = (Steady::start(READ)?, victim::folder()?, Census::take()?);
    let path = folder.path().join("report.json");
    let start = || {
        let injector =
            Injector::attach(victim.cgroup.path(), RULE)?.words(["--detach", "--name", "bad-disk"]);
        injector.word("--report").word(&path).expect(0)
    };
    let begun = start()?;
    let id = begun.stdout.trim_end().to_owned();
    ensure!(begun.stderr.contains(&format!("plan {id} (bad-disk)")), "{}", begun.stderr);
    victim.board.wait_faults(Duration::from_secs(5))?;
    let listed = json(&Injector::new(["ps", "--json"])?.expect(0)?.stdout)?;
    assert_eq!((&listed[0]["id"], &listed[0]["name"]), (&id.clone().into(), &"bad-disk".into()));
    Injector::new(["change", "bad-disk", "-e", "inject=read:error=ENOSPC"])?.expect(0)?;
    // Two of one name are told apart by their ids.
    let second = start()?.stdout;
    let refused = Injector::new(["stop", "bad-disk"])?.expect(2)?;
    ensure!(refused.stderr.contains(&id) && refused.stderr.contains(second.trim_end()), "{}", refused.stderr);
    Injector::new(["stop", second.trim_end()])?.expect(0)?;

    let stopped = json(&Injector::new(["stop", "bad-disk", "--json"])?.expect(0)?.stdout)?;
    assert_eq!((&stopped[0]["id"], &stopped[0]["ended"]), (&id.into(), &true.into()));
    assert_eq!(
        json(&Injector::new(["stop", "--all", "--json"])?.expect(0)?.stdout)?,
        Value::Array(Vec::new())
    );
    until("the report", LONG, || Ok(read(&path).is_ok_and(|report| report["ending"] == "stopped")))?;
    census.gone(Exceptions::None)?;

    // What cannot begin says why, with the code that it has in the foreground.
    let refused =
        Injector::new(["attach", "--cgroup", "/no/such", "-e", "inject=read:error=EIO", "--detach"])?;
    let refused = refused.expect(2)?;
    ensure!(refused.stderr.contains("/no/such") && refused.stdout.is_empty(), "{}", refused.stderr);
    let refused = Injector::attach(victim.cgroup.path(), RULE)?.words(["--detach", "--json"]).expect(2)?;
    ensure!(refused.stderr.contains("--report"), "{}", refused.stderr);
    Ok(())
}

#[test]
fn a_dry_run_is_data() -> Result<()> {
    let injector = Injector::run(MKDIR)?.words(["--dry-run", "--json", "--seed", "7", "--for", "2s"]);
    let planned = json(&injector.command(&["true"]).expect(0)?.stdout)?;
    assert_eq!((&planned["seed"], &planned["for_ns"]), (&7.into(), &2_000_000_000_u64.into()));
    assert_eq!(planned["rules"][0]["text"], format!("inject={MKDIR}"));
    ensure!(planned["attach"].as_array().is_some_and(|sites| !sites.is_empty()), "{planned:#}");
    Ok(())
}

#[test]
fn a_command_runs_as_another_user() -> Result<()> {
    let run = |user: &str, sudo: &str| {
        let injector = Injector::run(MKDIR)?.word(user).variable("SUDO_UID", sudo);
        anyhow::Ok(injector.command(&["sh", "-c", "id -u; id -g; id -G"]))
    };
    let nobody = "65534\n65534\n65534\n";
    assert_eq!(run("--user=nobody", "1")?.expect(0)?.stdout, nobody);
    assert_eq!(run("--user=65534", "1")?.expect(0)?.stdout, nobody);
    assert_eq!(run("--user", "65534")?.expect(0)?.stdout, nobody);
    let refused = run("--user=no-such-user", "1")?.expect(125)?;
    ensure!(refused.stderr.contains("there is no user no-such-user"), "{}", refused.stderr);
    Ok(())
}
