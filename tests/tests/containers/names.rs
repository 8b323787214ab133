//! Containers by name: one that restarts and is met again, some of many, and names that mean none, one that has ended, or
//! two.

use std::{
    fs,
    process::Output,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use injector_tests::{
    docker::Docker,
    injector::Injector,
    patience::{LONG, until},
    rights,
};
use serde_json::Value;

use super::podman::{PLACE, Pool, STORAGE, done, podman};

/// What a life may last until the rules act again. The claim is 100 ms; this is an emulated machine that others use.
const SLACK: f64 = 2.0;

fn fetch(file: &str) -> Result<Output> {
    podman(&["exec", "client", "/bin/wget", "-q", "-O", "-", &format!("http://127.0.0.1:8080/{file}")])
}

fn attach(words: &[&str]) -> Result<Injector> {
    let config = format!("{PLACE}/storage.conf");
    Ok(Injector::new(["attach", "--for", "2m"])?.variable(STORAGE, &config).words(words))
}

/// A server slowed and failed by its name, through three restarts.
pub(super) fn a_server_through_three_restarts(pool: &Pool) -> Result<()> {
    let rules = ["--io", "open:error=EIO:path=/etc/note", "--io", "open:delay=3s:path=/etc/slow"];
    let mut injector = attach(&["--fixed", "--container", "server"])?.words(rules).json().logged().start()?;
    // Programs on operations that may also wait are the longest to load.
    until("the beginning of the plan", 3 * LONG, || Ok(injector.stderr().contains("injector: plan ")))?;
    let id = injector.begun()?;
    ensure!(injector.stderr().contains("on container server for"), "{}", injector.stderr());
    // With no more rights than it takes to come back and to delay many.
    let rows = ["… and delays", "… and target cgroups", "… which are known by the name"];
    rights::keeps(injector.pid(), rights::documented(&rows)?)?;
    let listed = Injector::new(["ps", "--json"])?.expect(0)?.stdout;
    ensure!(listed.contains(&id) && listed.contains("container server"), "{listed}");
    pool.met(1)?;

    // Slow and failing for whoever asks the server; the same files are nothing to the third.
    let begun = Instant::now();
    ensure!(fetch("slow")?.stdout == b"late\n", "what is late is lost");
    let waited = begun.elapsed();
    eprintln!("the client waited {waited:?} for the server");
    ensure!(waited >= Duration::from_secs(3), "the client waited {waited:?} only");
    let failed = fetch("note")?;
    ensure!(!failed.status.success(), "{failed:?}");
    assert_eq!(done(&["exec", "third", "/bin/cat", "/etc/note", "/etc/slow"])?, "read\nlate\n");

    // The same container again, the same once it was killed, and another one of that name.
    done(&["restart", "--time", "0", "server"])?;
    let mut lives = vec![pool.met(2)?];
    done(&["kill", "server"])?;
    done(&["wait", "server"])?;
    done(&["start", "server"])?;
    lives.push(pool.met(3)?);
    done(&["rm", "--force", "--time", "0", "server"])?;
    let id = pool.run("server", "tier=back", &["/bin/sh", "/etc/server"])?;
    lives.push(pool.met(4)?);
    ensure!(id != pool.server, "the same id");
    eprintln!("seconds until the rules acted again: {lives:?}");
    ensure!(lives.iter().all(|&life| life < SLACK), "{lives:?}");

    let finished = injector.interrupt()?.expect(0)?;
    let report: Value = serde_json::from_str(&finished.stdout).context(finished.stdout)?;
    assert_eq!(report["returns"], serde_json::json!({"container server": 3}));
    // The third has met none of the rules, though it opened both files.
    ensure!(!finished.log.is_empty(), "an empty log");
    for line in &finished.log {
        assert_eq!(line["target"], "container server", "{line}");
    }
    ensure!(fetch("note")?.stdout == b"read\n", "still failing");
    Ok(())
}

/// By a label, by a glob, some of many; and names that mean none, one that has ended, or two.
pub(super) fn many_and_none(id: &str) -> Result<()> {
    let dry = |words: &[&str]| {
        let rule = ["--dry-run", "-e", "inject=openat:error=EIO:path=/etc/note"];
        attach(words).map(|injector| injector.words(rule))
    };
    let targets = |words: &[&str]| -> Result<Vec<String>> {
        let told = dry(words)?.expect(0)?.stdout;
        let mut targets: Vec<_> =
            told.lines().filter_map(|line| line.strip_prefix("target  ")).map(str::to_owned).collect();
        targets.sort_unstable();
        Ok(targets)
    };
    let [client, server, third] = ["container client", "container server", "container third"];
    assert_eq!(targets(&["--label", "tier=front"])?, [client, third]);
    assert_eq!(targets(&["--container", "/^(server|third)$/", "--container", "th*"])?, [server, third]);
    let two = targets(&["--container", "*", "--count", "2", "--seed", "5"])?;
    assert_eq!(two.len(), 2);
    assert_eq!(targets(&["--container", "*", "--percent", "40%", "--seed", "5"])?, two, "the same draw");
    assert_eq!(targets(&["--container", &id[..12]])?, [format!("container {}", &id[..12])]);
    let found = targets(&["--cgroup", &format!("libpod-{id}")])?;
    ensure!(found.len() == 1 && found[0].contains(id), "{found:?}");

    done(&["stop", "--time", "0", "third"])?;
    for (words, says, hint) in [
        (&["--container", "thrid"][..], "none of 3 containers has that name or id", "did you mean `third`?"),
        (&["--container", "third"], "it does not run, so it has no cgroup", "start it: podman start third"),
        (&["--unit", "nothing"], "there is no such unit", "systemctl list-units"),
        (&["--container", "*", "--count", "9"], "cannot choose 9 targets: the names mean 2", "ask for fewer"),
    ] {
        let said = dry(words)?.expect(2)?.stderr;
        ensure!(said.contains(says) && said.contains(hint), "{words:?}: {said}");
    }
    // Another runtime has one of that name; its state is what Docker writes.
    let twin = Docker::of("client", &"feed".repeat(16))?;
    let said = dry(&["--container", "client"])?.expect(2)?.stderr;
    ensure!(said.contains("2 have that name"), "{said}");
    // A state that cannot be read matters to a name that is not found elsewhere.
    fs::write(twin.config(), "{")?;
    dry(&["--container", "server"])?.expect(0)?;
    let said = dry(&["--container", "nobody"])?.expect(2)?.stderr;
    ensure!(said.contains("cannot read /var/lib/docker/containers/"), "{said}");
    Ok(())
}
