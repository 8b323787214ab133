//! What the machine's administrator forbids in `/etc/injector/policy.toml`, and what is protected without that.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use injector_tests::{cgroup::Scratch, docker::Docker, injector::Injector, patience, victim};

use crate::{nothing_left, parts, refused, refused_target, says};

const FOLDER: &str = "/etc/injector";
const FILE: &str = "/etc/injector/policy.toml";
const READ: [&str; 2] = ["--io", "read:error=EIO"];

/// The policy of the guest, as long as this lives.
struct Policy;

impl Policy {
    fn write(text: &str) -> Result<Self> {
        fs::create_dir_all(FOLDER)?;
        let written = Self;
        fs::write(FILE, text)?;
        fs::set_permissions(FILE, fs::Permissions::from_mode(0o644))?;
        Ok(written)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(FOLDER) {
            eprintln!("cannot remove {FOLDER}: {error}");
        }
    }
}

#[test]
fn a_layer_and_a_length_that_are_forbidden() -> Result<()> {
    let _policy = Policy::write("layers = [\"io\"]\n[limits]\nduration = \"1m\"\n")?;
    nothing_left(|| {
        let words = ["--for", "10s", "--net", "tcp : loss 10%"];
        refused(&words, 2, &parts("tcp : loss 10%", "permits io, not net", "leave the rule out"))?;
        // No option overrides it.
        let words = [&["--unsafe", "--for", "2m"][..], &READ].concat();
        refused(&words, 2, &parts("for 2m", "permits 1m at most", "--for 1m"))?;
        let target = Scratch::new()?;
        let attach =
            || Ok::<_, anyhow::Error>(Injector::new(["attach", "--cgroup"])?.word(target.path()).words(READ));
        // A live plan may not become what it could not begin as.
        let mut live = attach()?.words(["--for", "1m"]).start()?;
        let plan = live.begun()?;
        let longer = Injector::new(["change", &plan, "--for", "forever"])?.words(READ).expect(2)?;
        says(&longer, &parts("without an end", "permits 1m at most", "--for 1m"))?;
        let other = Injector::new(["change", &plan, "--net", "loss 1%"])?.expect(2)?;
        says(&other, &parts("loss 1%", "permits io, not net", "leave the rule out"))?;
        live.interrupt()?.expect(0)?;
        Ok(())
    })
}

#[test]
fn cgroups_that_are_forbidden() -> Result<()> {
    let _policy = Policy::write("[cgroups]\nallow = [\"/scratch-*/web\"]\ndeny = [\"/scratch-*/web/db\"]\n")?;
    nothing_left(|| {
        let target = Scratch::new()?;
        target.make("web/db")?;
        let attach = |below: &str| {
            Ok::<_, anyhow::Error>(
                Injector::new(["attach", "--dry-run", "--cgroup"])?
                    .word(target.path().join(below))
                    .words(READ),
            )
        };
        says(&attach("")?.expect(2)?, &parts("scratch-", "denies the cgroup", "name another target"))?;
        says(&attach("web")?.expect(2)?, &parts("/web/db", "`/scratch-*/web/db`", "name another target"))?;
        fs::remove_dir(target.path().join("web/db"))?;
        attach("web")?.expect(0)?;
        says(&attach("")?.expect(2)?, &parts("scratch-", "no pattern of `allow`", "that matches"))?;
        // The cgroup of a command is made before it can be looked at, and goes again.
        let run = Injector::new(["run"])?.words(READ).command(&["true"]).expect(125)?;
        says(&run, &parts("injector-run-", "no pattern of `allow`", "`injector-run-*`"))
    })
}

/// Of five containers a third, rounded up: two.
#[test]
fn too_many_containers_at_once() -> Result<()> {
    let _policy = Policy::write("[limits]\ncontainers = \"33%\"\n")?;
    let ids: Vec<_> = (0..5).map(|number| format!("{number:064x}")).collect();
    nothing_left(|| {
        let names = ["web-0", "web-1", "web-2", "db-0", "db-1"];
        let containers = names.iter().zip(&ids).map(|(name, id)| Docker::of(name, id));
        let _containers: Vec<_> = containers.collect::<Result<_>>()?;
        let attach =
            |words: &[&str]| Injector::new(["attach", "--dry-run"]).map(|it| it.words(READ).words(words));
        for words in [
            &["--container", "web-*"][..],
            &["--container", "web-1", "--container", "db-0", "--container", "db-1"],
            // One cgroup has them all, and no option overrides the policy.
            &["--unsafe", "--cgroup", "/docker"],
        ] {
            let met =
                if words.contains(&"/docker") { "cannot take 5 of the 5" } else { "cannot take 3 of the 5" };
            let remedy = parts(met, "permits 33% of them at most, which is 2", "--count 2");
            says(&attach(words)?.expect(2)?, &remedy)?;
        }
        for words in [&["--container", "db-*"][..], &["--container", "web-*", "--count", "2"]] {
            attach(words)?.expect(0)?;
        }
        // What is permitted acts; each plan is looked at by itself.
        let live = || Injector::new(["attach", "--container", "db-*"]).map(|it| it.words(READ));
        let (mut one, mut other) = (live()?.start()?, live()?.start()?);
        for plan in [&mut one, &mut other] {
            plan.begun()?;
        }
        one.interrupt()?.expect(0)?;
        other.interrupt()?.expect(0)?;
        Ok(())
    })
}

#[test]
fn a_policy_that_cannot_be_used() -> Result<()> {
    nothing_left(|| {
        let policy = Policy::write("[limits]\ndurations = \"1m\"\n")?;
        refused(&READ, 2, &parts(FILE, "line 2: unknown field `durations`", "docs/safety.md"))?;
        let doctor = Injector::new(["doctor", "--json"])?.finish()?;
        ensure!(doctor.stdout.contains("unknown field `durations`"), "{}", doctor.stdout);
        fs::write(FILE, "")?;
        fs::set_permissions(FILE, fs::Permissions::from_mode(0o664))?;
        refused(&READ, 2, &parts(FILE, "others than root may write", "chmod go-w"))?;
        drop(policy);
        Ok(())
    })
}

/// The shell that sshd has started is a target, sshd and what has it in it is none.
#[test]
fn a_process_that_is_protected() -> Result<()> {
    let (folder, target) = (victim::folder()?, Scratch::new()?);
    let sshd = folder.path().join("sshd");
    fs::copy("/bin/sh", &sshd)?;
    let mut server = target.spawn(Command::new(&sshd).args(["-c", "sleep 1000 & wait"]))?;
    let children = format!("/proc/{0}/task/{0}/children", server.id());
    let mut child = String::new();
    patience::until("a child of sshd", patience::LONG, || {
        child = fs::read_to_string(&children).unwrap_or_default().trim().to_owned();
        let comm = fs::read_to_string(Path::new("/proc").join(&child).join("comm"));
        Ok(comm.is_ok_and(|comm| comm.trim() == "sleep"))
    })?;
    let (cgroup, pid) = (target.path().to_str().context("no text")?, server.id().to_string());
    nothing_left(|| {
        let has = "(sshd)";
        refused_target(&["--cgroup", cgroup], 2, &parts(has, "log in to this machine", "smaller cgroup"))?;
        refused_target(&["--pid", &pid], 2, &parts(has, "log in to this machine", "a process below it"))?;
        for words in [&["--pid", &child][..], &["--unsafe", "--cgroup", cgroup]] {
            Injector::new(["attach", "--dry-run"])?.words(READ).words(words).expect(0)?;
        }
        Ok(())
    })?;
    server.kill()?;
    server.wait()?;
    Ok(())
}
