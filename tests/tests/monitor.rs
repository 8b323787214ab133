//! `--monitor` changes nothing: by every way in which a rule can act, a program gives the same under it as without
//! injector, while the same rule without `--monitor` changes what it gives. And it counts what would have fired.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    board::Board,
    guest::Kernel,
    injector::{Counts, Finished, Injector},
    victim,
};

/// Files made, read, moved and removed, by programs that say what went wrong.
const FILES: &str =
    "exec 2>&1; echo hello >a; cp a b; cat b; mv b c; mkdir d; ls; stat -c %s c; rm a; rmdir d; ls";

/// A connection, and a question for a name, both to this machine.
const PACKETS: &str = r#"
    $| = 1; use Socket;
    $SIG{ALRM} = sub { print "timeout\n"; exit 9 }; alarm 10;
    socket($s, PF_INET, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($s, pack_sockaddr_in(7101, INADDR_LOOPBACK)); listen($s, 1);
    socket($c, PF_INET, SOCK_STREAM, 0);
    connect($c, pack_sockaddr_in(7101, INADDR_LOOPBACK)) or print("connect $!\n"), exit 8;
    accept($a, $s); syswrite($c, "abc"); sysread($a, $got, 3); print "tcp $got\n";
    socket($u, PF_INET, SOCK_DGRAM, 0); bind($u, pack_sockaddr_in(53, INADDR_LOOPBACK));
    socket($v, PF_INET, SOCK_DGRAM, 0);
    $question = pack("n6", 7, 256, 1, 0, 0, 0) . "\x07example\x03com\x00" . pack("n2", 1, 1);
    for (1..3) {
        send($v, $question, 0, pack_sockaddr_in(53, INADDR_LOOPBACK));
        recv($u, $got, 512, 0); print "udp ", unpack("H*", $got), "\n";
    }
    $rest = ""; recv($u, $rest, 512, MSG_DONTWAIT); print "rest ", length $rest, "\n";
"#;

/// What a program gives: its exit code, and what it printed.
type Given = (i32, String);

/// `command` under `words`, in a folder of its own.
fn under(words: &[&str], command: &[&str]) -> Result<(Given, Finished)> {
    let folder = victim::folder()?;
    let injector = Injector::new(["run", "--json", "--unsafe", "--seed", "7", "--max-call-delay", "600s"])?
        .words(words)
        .command(command);
    let finished = injector.in_folder(Stdio::null(), folder.path()).finish()?;
    Ok(((finished.code, finished.stdout.clone()), finished))
}

/// The same without injector.
fn alone(command: &[&str]) -> Result<Given> {
    let folder = victim::folder()?;
    let output = Command::new(command[0]).args(&command[1..]).current_dir(folder.path()).output()?;
    let code = output.status.code().context("killed")?;
    Ok((code, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The rule changes what `command` gives, and with `--monitor` it does not.
fn inert(option: &str, rule: &str, command: &[&str]) -> Result<()> {
    let expected = alone(command)?;
    let (given, finished) = under(&[option, rule], command).with_context(|| rule.to_owned())?;
    ensure!(given != expected, "{rule} does nothing to begin with: {expected:?}, {}", finished.stderr);
    let (given, finished) = under(&["--monitor", option, rule], command)?;
    ensure!(given == expected, "{rule}: {given:?} instead of {expected:?}; {}", finished.stderr);
    let counts = &finished.report()?.rules[0];
    ensure!(counts.matched > 0 && counts.fired == 0, "{rule}: {counts:?}");
    ensure!(counts.suppressed_by("monitored") > 0, "{rule}: {counts:?}");
    Ok(())
}

fn of_files(rules: &[(&str, &str)]) -> Result<()> {
    rules.iter().try_for_each(|(option, rule)| inert(option, rule, &["sh", "-c", FILES]))
}

/// `fmod_ret`, `kprobe` on one function and on many, `kretprobe`, where the kernel lets calls fail; else hooks.
#[test]
fn calls_go_on() -> Result<()> {
    if Kernel::running()?.injects_calls() {
        of_files(&[
            ("-e", "inject=openat:error=EIO"),
            ("-e", "inject=mkdir,mkdirat:retval=0"),
            ("-e", "inject=all:error=EIO"),
            ("-e", "inject=read:error=EIO:at=exit"),
            ("-e", "inject=%file:error=EIO:at=exit"),
            ("-e", "inject=mkdir,mkdirat:signal=KILL"),
            ("-e", "inject=openat:error=EIO:path=/tmp/**"),
        ])
    } else {
        of_files(&[
            ("-e", "inject=openat:error=EIO"),
            ("-e", "inject=read,write,openat,mkdir,mkdirat:error=EIO"),
            ("-e", "inject=openat:error=EIO:path=/tmp/**"),
        ])
    }
}

#[test]
fn operations_go_on() -> Result<()> {
    of_files(&[
        ("--io", "open:error=EIO"),
        ("--io", "read,write,rename,unlink,mkdir:error=ENOSPC:path=/tmp/**"),
    ])
}

/// Nobody sleeps, at the call's function or at its hook, before the call or behind it: nobody waits for ten minutes.
#[test]
fn nobody_waits() -> Result<()> {
    let kernel = Kernel::running()?;
    let mut rules = Vec::new();
    if kernel.injects_calls() {
        rules.push(("-e", "inject=mkdir,mkdirat:delay_enter=600s"));
        rules.push(("-e", "inject=mkdir,mkdirat:delay_exit=600s"));
        rules.push(("-e", "inject=mkdir,mkdirat:error=EIO:delay_enter=600s"));
    }
    if kernel.delays_at_hooks() {
        rules.push(("--io", "mkdir:delay=600s"));
        rules.push(("--io", "mkdir:error=EIO:delay=600s"));
    }
    let command = ["sh", "-c", FILES];
    for (option, rule) in rules {
        let (given, finished) = under(&["--monitor", option, rule], &command)?;
        assert_eq!(given, alone(&command)?, "{rule}: {}", finished.stderr);
        let counts = &finished.report()?.rules[0];
        ensure!(counts.fired == 0 && counts.suppressed_by("monitored") > 0, "{rule}: {counts:?}");
    }
    Ok(())
}

/// At every hook that packets pass, those of connections and the delay line's included. What each rule does where it
/// acts is tested by itself.
#[test]
fn packets_go_their_way() -> Result<()> {
    let command = ["perl", "-e", PACKETS];
    inert("--net", "both : partition", &command)?;
    let rules = [
        "loss 100%",
        "ingress : loss 100%",
        "udp : duplicate 100%",
        "udp : corrupt 100%",
        "delay 30s",
        "udp : rate 8bit",
        "tcp : reject rst",
        "udp : reject icmp",
        "tcp : connect=ENETUNREACH",
        "dns nxdomain",
    ];
    let words: Vec<&str> = rules.iter().flat_map(|rule| ["--net", rule]).collect();
    let (given, finished) = under(&[&["--monitor"], &words[..]].concat(), &command)?;
    assert_eq!(given, alone(&command)?, "{}", finished.stderr);
    for counts in finished.report()?.rules {
        ensure!(counts.matched > 0 && counts.fired == 0, "{counts:?}");
    }
    Ok(())
}

/// Every call of a victim comes to the same, in the same order; what is counted is what a run that acts counts.
#[test]
fn the_same_is_counted_as_would_fire() -> Result<()> {
    let rules = [
        "inject=read:error=EIO:when=2+3",
        "inject=read:error=ENOSPC:prob=50%",
        "inject=read:error=EINTR:times=3",
    ];
    let count = |monitor: &[&str]| -> Result<_> {
        let (board, folder) = (Board::new(1, 40)?, victim::folder()?);
        let injector = Injector::new(["run", "--json", "--seed", "11"])?.words(monitor);
        let injector = rules.iter().fold(injector, |injector, rule| injector.words(["-e", rule]));
        let injector = injector.command(&[victim::CALLS, "read", "0", "1", "40"]);
        let finished = injector.in_folder(board.stdin()?, folder.path()).expect(0)?;
        let of_rule = |counts: &Counts| (counts.matched, counts.fired + counts.suppressed_by("monitored"));
        Ok((board.results(0)?, finished.report()?.rules.iter().map(of_rule).collect::<Vec<_>>()))
    };
    let (board, folder) = (Board::new(1, 40)?, victim::folder()?);
    let mut alone = victim::command(victim::CALLS, &["read", "0", "1", "40"], &board, folder.path())?;
    ensure!(alone.status()?.success());
    let plain = board.results(0)?;
    let (acting, fired) = count(&[])?;
    let (monitored, counted) = count(&["--monitor"])?;
    assert_ne!(acting, plain);
    assert_eq!(monitored, plain);
    assert_eq!(counted, fired);
    Ok(())
}
