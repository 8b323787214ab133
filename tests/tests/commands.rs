//! `injector run` as a wrapper: the command gets what it would get without us, and the caller gets what
//! the command gives: exit code, signals, streams.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    cgroup::{self, Scratch},
    guest,
    injector::{Injector, as_from_a_terminal},
    patience::{self, LONG},
    residue::{Census, Exceptions},
    victim,
};
use nix::sys::signal::Signal;

/// A rule that costs a command nothing.
const HARMLESS: &str = "read:error=EIO:when=60000";

fn run(words: &[&str]) -> Result<Injector> {
    Ok(Injector::run(HARMLESS)?.command(words))
}

#[test]
fn the_exit_code_is_the_command_s() -> Result<()> {
    let census = Census::take()?;
    for code in [0, 1, 2, 3, 42, 124, 255] {
        run(&["sh", "-c", &format!("exit {code}")])?.expect(code)?;
    }
    // 128+n for a command that signal n killed.
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGSEGV, Signal::SIGINT] {
        let number = signal as i32;
        run(&["sh", "-c", &format!("ulimit -c 0; kill -{number} $$")])?.expect(128 + number)?;
    }
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn signals_are_passed_on() -> Result<()> {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // A command that knows what to do, and one that does not.
        let folder = victim::folder()?;
        let name = &signal.as_str()[3..];
        let script = format!("trap 'echo caught; exit 7' {name}; touch ready; while :; do sleep 0.1; done");
        let injector = run(&["sh", "-c", &script])?.in_folder(Stdio::null(), folder.path()).start()?;
        wait_for(&folder.path().join("ready"))?;
        injector.signal(signal)?;
        let finished = injector.finish()?.expect(7)?;
        assert_eq!(finished.stdout, "caught\n");
        ensure!(finished.stderr.contains("matched"), "no table: {}", finished.stderr);

        fs::remove_file(folder.path().join("ready"))?;
        let injector = run(&["sh", "-c", "touch ready; exec sleep 100"])?
            .in_folder(Stdio::null(), folder.path())
            .start()?;
        wait_for(&folder.path().join("ready"))?;
        injector.signal(signal)?;
        injector.finish()?.expect(128 + signal as i32)?;
    }
    Ok(())
}

/// A loader that cannot open its libraries ends the program before it has begun; behind it the program itself meets the
/// fault.
#[test]
fn rules_begin_behind_the_loader() -> Result<()> {
    let census = Census::take()?;
    let failing = |words: &[&str]| -> Result<Injector> {
        let rule = ["-e", "inject=openat:error=EMFILE"];
        Ok(Injector::new(["run"])?.words(words).words(rule).command(&["cat", "/etc/passwd"]))
    };
    let before = failing(&[])?.expect(127)?;
    ensure!(before.stderr.contains("error while loading shared libraries"), "{}", before.stderr);
    let behind = failing(&["--after-start", "--expect-fired"])?.expect(1)?;
    ensure!(behind.stderr.contains("cat: /etc/passwd: Too many open files"), "{}", behind.stderr);
    // The same calls are met in every run, and what a command gives and gets is its own.
    let counted = || -> Result<u64> {
        let script = "read line; echo $line; kill -USR1 $$; exit 7";
        let injector =
            Injector::new(["run", "--after-start", "--seed", "7", "-e", "inject=read:error=EIO:when=60000"])?;
        let folder = victim::folder()?;
        fs::write(folder.path().join("input"), "one\n")?;
        let input = fs::File::open(folder.path().join("input"))?;
        let script = format!("trap 'echo caught' USR1; {script}");
        let finished = injector
            .json()
            .command(&["sh", "-c", &script])
            .in_folder(input.into(), folder.path())
            .expect(7)?;
        assert_eq!(finished.stdout, "one\ncaught\n");
        Ok(finished.report()?.rules[0].matched)
    };
    let first = counted()?;
    ensure!(first > 0);
    assert_eq!(counted()?, first);
    census.gone(Exceptions::None)?;
    Ok(())
}

/// Others see what was typed, not the cgroup that nobody has chosen.
#[test]
fn ps_shows_the_command() -> Result<()> {
    let folder = victim::folder()?;
    let command = ["sh", "-c", "touch ready; exec sleep 100"];
    let injector = run(&command)?.in_folder(Stdio::null(), folder.path()).start()?;
    wait_for(&folder.path().join("ready"))?;
    let table = Injector::new(["ps"])?.expect(0)?.stdout;
    ensure!(table.contains("  command sh -c touch ready; exec sleep 100  "), "{table}");
    let json = Injector::new(["ps", "--json"])?.expect(0)?.stdout;
    let plans: serde_json::Value = serde_json::from_str(&json)?;
    assert_eq!(plans[0]["command"], command.join(" "));
    ensure!(plans[0]["targets"][0].as_str().is_some_and(|target| target.contains("injector-run-")), "{json}");
    injector.signal(Signal::SIGTERM)?;
    injector.finish()?.expect(128 + Signal::SIGTERM as i32)?;
    Ok(())
}

fn wait_for(file: &Path) -> Result<()> {
    patience::until("the command's beginning", LONG, || Ok(file.exists())).map(drop)
}

/// At a terminal, Ctrl-C reaches the command by itself: it must not come twice.
#[test]
fn a_terminal_s_interrupt_comes_once() -> Result<()> {
    let folder = victim::folder()?;
    // Not a shell, which dies with the children that the terminal interrupts.
    let program = "sub caught { open my $file, '>>', 'caught'; print $file \"caught\\n\" } \
                   $SIG{INT} = \\&caught; open my $ready, '>', 'ready'; sleep 1 for 1..3; exit 5;";
    fs::write(folder.path().join("program"), program)?;
    let command = format!("exec {} run -e inject={HARMLESS} -- perl program", guest::injector()?.display());
    // script(1) gives it a terminal, and sends on what is typed.
    let mut typist = Command::new("script");
    typist.args(["-qec", &command, "/dev/null"]).current_dir(folder.path());
    as_from_a_terminal(&mut typist);
    let mut typist = typist.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    wait_for(&folder.path().join("ready"))?;
    let mut keyboard = typist.stdin.take().context("no keyboard")?;
    std::io::Write::write_all(&mut keyboard, b"\x03")?;
    wait_for(&folder.path().join("caught"))?;
    let status = typist.wait()?;
    drop(keyboard);
    assert_eq!(status.code(), Some(5));
    assert_eq!(fs::read_to_string(folder.path().join("caught"))?, "caught\n");
    Ok(())
}

#[test]
fn streams_are_the_command_s_own() -> Result<()> {
    let folder = victim::folder()?;
    let input = folder.path().join("input");
    fs::write(&input, "one\ntwo\n")?;
    let finished = run(&["sh", "-c", "cat; echo three; echo four >&2; pwd"])?
        .in_folder(fs::File::open(&input)?.into(), folder.path())
        .expect(0)?;
    // Nothing of ours on stdout, all of ours on stderr.
    assert_eq!(finished.stdout, format!("one\ntwo\nthree\n{}\n", folder.path().display()));
    ensure!(finished.stderr.contains("four\n") && finished.stderr.contains("matched"), "{}", finished.stderr);
    Ok(())
}

#[test]
fn the_environment_is_the_caller_s() -> Result<()> {
    // Signals that are ignored stay so, others do not; no descriptor of ours is open; the environment is whole.
    let script = "grep -E '^(SigIgn|SigBlk)' /proc/self/status; ls /proc/self/fd; env | grep ^INJECTOR_TEST_KERNEL; ulimit -n; ulimit -l";
    let plain = {
        let mut plain = Command::new("sh");
        plain.args(["-c", script]).stdin(Stdio::null());
        // As under the injector, whose streams are pipes.
        String::from_utf8_lossy(&plain.output()?.stdout).into_owned()
    };
    let finished = run(&["sh", "-c", script])?.expect(0)?;
    // SIGINT is as for the injector itself, not as for these tests, which a script may have started.
    let rest = |text: &str| {
        text.lines().filter(|line| !line.starts_with("SigIgn")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rest(&finished.stdout), rest(&plain));
    let ignored =
        finished.stdout.lines().find_map(|line| line.strip_prefix("SigIgn:")).context("no signals")?;
    assert_eq!(u64::from_str_radix(ignored.trim(), 16)?, 0, "the command ignores signals");
    Ok(())
}

#[test]
fn the_command_s_cgroup_is_below_the_caller_s() -> Result<()> {
    let caller = Scratch::new()?;
    let mut command = Command::new(guest::injector()?);
    command.args(["run", "-e", &format!("inject={HARMLESS}"), "--", "cat", "/proc/self/cgroup"]);
    let output = caller.spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let own = caller.path().strip_prefix(cgroup::MOUNT)?.display().to_string();
    ensure!(said.starts_with(&format!("0::/{own}/injector-run-")), "{said}");
    // It is gone with the command.
    let left =
        fs::read_dir(caller.path())?.filter_map(Result::ok).filter(|entry| entry.path().is_dir()).count();
    assert_eq!(left, 0);

    // A caller below whom no processes may be: below the root, and said so.
    fs::write(caller.path().join("cgroup.max.depth"), "0")?;
    let output = caller.spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(said.starts_with("0::/injector-run-"), "{said}");
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains("note: "), "the other place is not told: {said}");
    Ok(())
}

#[test]
fn an_injector_under_an_injector() -> Result<()> {
    let census = Census::take()?;
    let inner = guest::injector()?.display().to_string();
    let finished = Injector::run("mkdir:error=EACCES")?
        .command(&[
            &inner,
            "run",
            "-e",
            "inject=rmdir:error=EBUSY",
            "--",
            "sh",
            "-c",
            "rmdir /nothing; mkdir /tmp/nested || exit 9",
        ])
        .finish()?;
    // The inner one needs mkdir for its cgroup, which the outer one fails: it says so, and does nothing.
    finished.expect(125)?;
    let finished = Injector::run("rename:error=EACCES")?
        .command(&[
            &inner,
            "run",
            "-e",
            "inject=mkdir:error=EDQUOT",
            "--",
            "sh",
            "-c",
            "mkdir /tmp/nested; mv /etc/hostname /tmp/x; exit 9",
        ])
        .expect(9)?;
    ensure!(finished.stderr.contains("Disk quota exceeded"), "{}", finished.stderr);
    census.gone(Exceptions::None)?;
    Ok(())
}

/// As a container engine's.
#[test]
fn cgroups_that_a_command_has_made_go_with_it() -> Result<()> {
    let census = Census::take()?;
    let script = "mkdir -p /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/one/two";
    let finished = run(&["sh", "-c", script])?.expect(0)?;
    ensure!(!finished.stderr.contains("live on"), "{}", finished.stderr);
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn a_command_that_ends_at_once_leaves_nothing() -> Result<()> {
    let census = Census::take()?;
    for _ in 0..3 {
        run(&["true"])?.expect(0)?;
        let took = census.gone(Exceptions::None)?;
        ensure!(took < Duration::from_secs(1));
    }
    Ok(())
}
