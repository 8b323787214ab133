//! Where injector writes: what cannot be written is said and counted, a reader that has gone away is no error, one that
//! does not read holds nothing up, and foreign text does nothing to a terminal.

use std::{
    fs::{self, OpenOptions},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    board::Board,
    cgroup::{self, Scratch},
    guest::{self, Kernel},
    injector::Injector,
    network::sh,
    patience,
    victim::{self, Steady, usual},
};
use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};
use serde_json::Value;

/// For a process to end on an emulated machine that others use as well.
const SLACK: Duration = Duration::from_secs(3);

fn rule(actions: &str) -> Result<String> {
    Ok(format!("{}:{actions}", usual(Kernel::running()?).name))
}

/// `injector WORDS` in a shell, with what is behind it, such as a redirection: its exit code and its stderr.
fn shell(words: &str, behind: &str) -> Result<(i32, String)> {
    let line = format!("{} {words} {behind}", guest::injector()?.display());
    let output = Command::new("bash").args(["-c", &line]).stdin(Stdio::null()).output()?;
    Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// A file system of so many kilobytes.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(kilobytes: u32) -> Result<Self> {
        let folder = victim::folder()?;
        sh(&format!("mount -t tmpfs -o size={kilobytes}k small {}", folder.path().display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = sh(&format!("umount {}", self.0.path().display()));
    }
}

#[test]
fn a_full_disk_is_said_and_what_is_not_in_the_log_is_counted() -> Result<()> {
    const CALLS: usize = 2000;
    let (small, operation) = (Small::mount(64)?, usual(Kernel::running()?));
    let log = small.0.path().join("log");
    let under = |command: &[&str], code: i32| -> Result<()> {
        let (board, folder) = (Board::new(1, CALLS)?, victim::folder()?);
        let injector =
            Injector::run(&rule("error=EIO:comm=calls")?)?.json().word("--log").word(&log).command(command);
        let finished = injector.in_folder(board.stdin()?, folder.path()).expect(code)?;
        ensure!(finished.stderr.contains("No space left on device"), "{}", finished.stderr);
        let (text, report) = (fs::read_to_string(&log)?, finished.report()?);
        ensure!(text.ends_with('\n') && text.len() > 32 << 10, "{} bytes", text.len());
        let lines = text.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?;
        ensure!(report.lost_events > 0);
        assert_eq!(lines.len() as u64 + report.lost_events, report.rules[0].fired);
        Ok(())
    };
    let count = CALLS.to_string();
    let calls = [victim::CALLS, operation.name, "0", "1", &count];
    under(&calls, 125)?;
    // A command's own failure counts for more.
    let words = calls.join(" ");
    under(&["sh", "-c", &format!("{words}; exit 7")], 7)?;

    let victim = Steady::start(operation)?;
    let attach = Injector::attach(victim.cgroup.path(), &rule("error=EIO")?)?;
    let finished = attach.words(["--for", "1s", "--log", "/dev/full"]).expect(1)?;
    ensure!(finished.stderr.contains("cannot write the log /dev/full"), "{}", finished.stderr);
    Ok(())
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() -> Result<()> {
    let target = Scratch::new()?;
    let attach = format!(
        "attach --cgroup {} -e inject={} --for 1s --json",
        target.path().display(),
        rule("error=EIO")?
    );
    let dry = format!("run -e inject={} --dry-run true", rule("error=EIO")?);
    let run = format!("run -e inject={} true", rule("error=EIO:when=60000")?);
    for (words, code) in [
        ("ps --json", 1),
        ("doctor", 1),
        ("doctor --json", 1),
        ("recover --json", 1),
        ("man", 1),
        ("man run", 1),
        ("help", 1),
        ("help rules", 1),
        ("check inject=read:error=EIO", 1),
        ("completions bash", 1),
        ("--help", 1),
        ("--version", 1),
        (&attach, 1),
        (&dry, 125),
    ] {
        let (found, stderr) = shell(words, "> /dev/full")?;
        ensure!(found == code, "{words}: {found} instead of {code}: {stderr}");
        ensure!(words.starts_with("--") || stderr.contains("cannot write to stdout"), "{words}: {stderr}");
        // Nobody is there to read it: what is written to a pipe whose reader has gone.
        let (found, stderr) = shell(words, "| true; exit ${PIPESTATUS[0]}")?;
        ensure!(found == 0, "{words}: {found}: {stderr}");
        ensure!(!stderr.contains("cannot write") && !stderr.contains("panicked"), "{words}: {stderr}");
    }
    // The report of `run` goes to stderr.
    assert_eq!(shell(&run, "2> /dev/full")?.0, 125);
    assert_eq!(shell(&format!("{run} --json"), "2> /dev/full")?.0, 125);
    Ok(())
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() -> Result<()> {
    let folder = victim::folder()?;
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU)?;
    let reader = OpenOptions::new().read(true).write(true).open(&pipe)?;
    for round in 0..if guest::full() { 50 } else { 2 } {
        let victim = Steady::start(usual(Kernel::running()?))?;
        let attach = Injector::attach(victim.cgroup.path(), &rule("error=EIO")?)?;
        let mut injector = attach.json().word("--log").word(&pipe).start()?;
        injector.begun()?;
        // Several times what the pipe holds.
        victim.board.next(2000)?;
        let start = Instant::now();
        injector.signal(Signal::SIGTERM)?;
        let finished = injector.finish()?.expect(0)?;
        ensure!(start.elapsed() < SLACK, "round {round}: {:?} from SIGTERM to the end", start.elapsed());
        let report = finished.report()?;
        ensure!(report.lost_events > 1000, "{} events are lost", report.lost_events);
        victim.board.wait_relief(SLACK)?;
    }
    drop(reader);
    Ok(())
}

/// Escape sequences, a bell, line ends that imitate our messages, the direction of writing turned round.
const EVIL: &str = "x\x1b[2J\x07\ninjector: error: \u{202e}y";
/// The kernel takes all but line ends for the name of a cgroup (kernel/cgroup/cgroup.c, `cgroup_mkdir`).
const CGROUP: &str = "x\x1b[2J\x07\u{9b}31m\u{202e}y";

/// Messages go into a pipe that is full and that nobody reads: the plan acts on, heeds signals, and ends in time.
#[test]
fn messages_that_nobody_reads_hold_nothing_up() -> Result<()> {
    let (victim, folder) = (Steady::start(usual(Kernel::running()?))?, victim::folder()?);
    let path = folder.path().join("stderr");
    mkfifo(&path, Mode::S_IRWXU)?;
    // Whoever has both ends waits for nobody, and keeps the pipe open.
    let pipe = OpenOptions::new().read(true).write(true).open(&path)?;
    let full = format!("exec 7<>{}; timeout 1 head -c 1048576 /dev/zero >&7", path.display());
    Command::new("bash").args(["-c", &full]).status()?;
    for (time, signal) in [("1h", Some(Signal::SIGTERM)), ("3s", None)] {
        let rule = format!("inject={}", rule("error=EIO")?);
        let mut injector = Command::new(guest::injector()?)
            .args(["attach", "-e", &rule, "--for", time, "--cgroup"])
            .arg(victim.cgroup.path())
            .stderr(pipe.try_clone()?)
            .stdout(Stdio::null())
            .spawn()?;
        victim.board.wait_faults(patience::LONG)?;
        if let Some(signal) = signal {
            kill(Pid::from_raw(injector.id().cast_signed()), signal)?;
        }
        patience::until("the injector's end", patience::LONG, || Ok(injector.try_wait()?.is_some()))?;
        victim.board.wait_relief(SLACK)?;
    }
    Ok(())
}

/// Has it so many messages of an error, at most, and nothing that a terminal does not just show?
fn is_harmless(text: &str, errors: usize) -> bool {
    let lines = text.lines().filter(|line| line.starts_with("injector: error: "));
    lines.count() <= errors && !text.chars().any(|c| c == '\u{202e}' || (c.is_control() && c != '\n'))
}

#[test]
fn foreign_text_does_nothing_to_a_terminal() -> Result<()> {
    let scratch = Scratch::new()?;
    let cgroup = scratch.make(CGROUP)?;
    // A process of that name, in that cgroup: the kernel names it by the file, cut to 15 bytes.
    let folder = victim::folder()?;
    let program = folder.path().join("a\x1b[2J\x07\nb");
    fs::copy("/bin/sleep", &program)?;
    let mut sleeper = scratch.spawn(Command::new(program).arg("1000"))?;
    let pid = sleeper.id();
    cgroup::move_into(&cgroup, pid)?;

    let attach = Injector::new(["attach", "--cgroup"])?.word(&cgroup).words(["--pid", &pid.to_string()]);
    let attach = attach.words(["-e", &format!("inject={}", rule("error=EIO:when=60000")?)]);
    let mut running = attach.start()?;
    let id = running.begun()?;
    let opening = running.stderr();
    ensure!(is_harmless(&opening, 0), "{opening:?}");
    ensure!(
        opening.contains("x\\x1b[2J\\x07\\u{9b}31m\\u{202e}y") && opening.contains("(a\\x1b[2J\\x07\\nb)"),
        "{opening}"
    );
    let listed = Injector::new(["ps"])?.expect(0)?.stdout;
    ensure!(is_harmless(&listed, 0) && listed.contains("\\x1b[2J"), "{listed:?}");
    // What machines read is exact.
    let json = Injector::new(["ps", "--json"])?.expect(0)?.stdout;
    ensure!(is_harmless(&json, 0), "{json:?}");
    let plans: Value = serde_json::from_str(&json)?;
    let targets = plans[0]["targets"].as_array().context("no targets")?;
    let target = |text: &str| targets.iter().any(|one| one.as_str().is_some_and(|one| one.contains(text)));
    ensure!(target(CGROUP) && target("(a\x1b[2J\x07\nb)"), "{targets:?}");

    // The user's own words, where they are wrong.
    for words in [
        vec!["attach", "--cgroup", EVIL],
        vec!["attach", "--pid", EVIL],
        vec!["attach", EVIL],
        vec!["attach", "--cgroup", "/", "-e", EVIL],
        vec!["attach", "--cgroup", "/", "--net", EVIL],
        vec!["attach", "--cgroup", "/", "--net", "to x\x1b[2Jy : loss 1%"],
        vec!["change", EVIL, "--for", "1m"],
        vec!["change", &id, "--for", EVIL],
        vec!["stop", EVIL],
        vec!["run", "-e", "inject=read:error=EIO", "--", EVIL],
        vec!["run", "-e", "inject=read:error=EIO", "--log", EVIL, "--", "true"],
    ] {
        let finished = Injector::new(&words)?.finish()?;
        ensure!(finished.code != 0, "{words:?}");
        ensure!(is_harmless(&finished.stderr, 1), "{words:?}: {:?}", finished.stderr);
    }
    sleeper.kill()?;
    sleeper.wait()?;
    let ended = running.interrupt()?.expect(0)?.stderr;
    ensure!(is_harmless(&ended, 0), "{ended:?}");
    Ok(())
}
