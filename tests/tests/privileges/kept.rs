//! Each row of the table in `docs/containers.md`, as `/proc` tells it of every thread of the injector and its helpers.

use std::{
    fs,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    docker::Docker,
    guest::{self, Kernel},
    injector::Injector,
    patience::{LONG, until},
    residue::{Census, Exceptions},
    rights::{documented, field, keeps},
    victim::{self, Steady},
};

use crate::{failing, operation};

/// How rows begin.
const CHANGES: &str = "that may be changed";
const DELAYS: &str = "… and delays";
const PACKETS: &str = "… and rules on packets";
const PROCESSES: &str = "… and rules on processes";
const RETURNS: &str = "… and target cgroups";
const NAMES: &str = "… which are known by the name";
const RUN: &str = "… under `run` ";

#[test]
fn each_row_of_the_table() -> Result<()> {
    let (victim, census) = (Steady::start(operation()?)?, Census::take()?);
    let (path, pid) = (victim.cgroup.path().to_str().context("no text")?, victim.pid().to_string());
    let calls = format!("inject={}:error=EIO:when=60000", operation()?.name);
    let (cgroup, process, fixed, once) = (["--cgroup", path], ["--pid", &pid], ["--fixed"], ["--once"]);
    let net = ["--net", "loss 1%"];
    let pause = ["--process", "pause:for=1s:after=3600s"];
    for (words, rows) in [
        (&[&cgroup[..]][..], &[CHANGES][..]),
        (&[&process, &net], &[CHANGES]),
        (&[&fixed, &process], &[]),
        (&[&fixed, &once, &cgroup], &[]),
        (&[&fixed, &cgroup], &[RETURNS]),
        (&[&fixed, &process, &net], &[PACKETS]),
        (&[&fixed, &once, &cgroup, &pause], &[PROCESSES]),
        (&[&fixed, &cgroup, &pause, &net], &[RETURNS, PROCESSES, PACKETS]),
    ] {
        let words = words.concat();
        let mut injector = Injector::new(["attach", "-e", &calls])?.words(&words).start()?;
        injector.begun()?;
        keeps(injector.pid(), documented(rows)?).with_context(|| format!("{words:?}"))?;
        injector.interrupt()?.expect(0)?;
        census.gone(Exceptions::None)?;
    }
    Ok(())
}

#[test]
fn a_container_that_is_known_by_its_name() -> Result<()> {
    let _container = Docker::of("quiet", &"beef".repeat(16))?;
    let mut injector = failing()?.words(["--container", "quiet"]).start()?;
    injector.begun()?;
    keeps(injector.pid(), documented(&[RETURNS, NAMES])?)?;
    injector.interrupt()?.expect(0)?;
    Ok(())
}

#[test]
fn the_helpers() -> Result<()> {
    let (victim, census) = (Steady::start(operation()?)?, Census::take()?);
    let attach = |words: &[&str]| {
        Injector::new(["attach", "--fixed", "--cgroup"])?.word(victim.cgroup.path()).words(words).start()
    };
    let mut injector = attach(&["--process", "pause:for=1s:after=3600s"])?;
    injector.begun()?;
    keeps(injector.helper("injector-warden")?, documented(&["`injector-warden`"])?)?;
    injector.interrupt()?.expect(0)?;
    if Kernel::running()?.delays_at_hooks() {
        let mut injector = attach(&["--once", "--io", "open:delay=50ms:path=/etc/injector-none"])?;
        injector.begun()?;
        keeps(injector.pid(), documented(&[DELAYS])?)?;
        for (name, row) in [
            ("injector-fuse", "`injector-fuse`"),
            ("injector-pager", "`injector-pager` and `injector-wdog`"),
            ("injector-wdog", "`injector-pager` and `injector-wdog`"),
        ] {
            keeps(injector.helper(name)?, documented(&[row])?).context(name)?;
        }
        injector.interrupt()?.expect(0)?;
    }
    census.gone(Exceptions::None)?;
    Ok(())
}

/// A command has what its injector was given, and its injector has not.
#[test]
fn a_command_has_all_rights_of_the_caller() -> Result<()> {
    let folder = victim::folder()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    // Read by a process of its own: what the shell has is what the command has.
    let script = "cat /proc/$$/status > $0.new; mv $0.new $0; cat > /dev/null";
    let (pipe, rule) = (Stdio::piped, format!("inject={}:error=EIO:when=60000", operation()?.name));
    let mut direct = Command::new("sh").args(["-c", script, &path("direct")]).stdin(pipe()).spawn()?;
    let own = told(&path("direct"))?;
    drop(direct.stdin.take());
    direct.wait()?;
    for (words, rows) in [
        (&[][..], &[CHANGES][..]),
        (&["--fixed"], &[RUN]),
        (&["--fixed", "--after-start"], &[RUN, "… under `run --after-start`"]),
    ] {
        let name = path(&format!("run{}", words.len()));
        let mut child = Command::new(guest::injector()?)
            .args(["run", "-e", &rule])
            .args(words)
            .args(["--", "sh", "-c", script, &name])
            .stdin(pipe())
            .spawn()?;
        let command = told(&name)?;
        for field_name in ["CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb", "NoNewPrivs"] {
            assert_eq!(field(&command, field_name)?, field(&own, field_name)?, "{words:?}: {field_name}");
        }
        keeps(child.id(), documented(rows)?).with_context(|| format!("{words:?}"))?;
        drop(child.stdin.take());
        ensure!(child.wait()?.success(), "{words:?}");
    }
    Ok(())
}

/// What a file says, as soon as it is there.
fn told(path: &str) -> Result<String> {
    until(path, LONG, || Ok(fs::exists(path)?))?;
    Ok(fs::read_to_string(path)?)
}
