//! The three ways to fail a call, each where it is needed: what it can return, which entry of the kernel
//! it sees, and which calls it reaches on a kernel as the distribution made it.

use std::{fs, os::unix::fs::MetadataExt, process::Command};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    board::Board,
    guest::Kernel,
    injector::{Finished, Injector},
    victim,
};

/// Runs `program` on a board of `workers` with `calls` calls each, under `rule`.
fn under(
    rule: &str,
    program: &str,
    words: &[&str],
    workers: usize,
    calls: usize,
) -> Result<(Board, Finished)> {
    let (board, folder) = (Board::new(workers, calls)?, victim::folder()?);
    let finished = Injector::run(rule)?
        .word("--unsafe")
        .json()
        .logged()
        .command(&[&[program], words].concat())
        .in_folder(board.stdin()?, folder.path())
        .expect(0)
        .context(rule.to_owned())?;
    Ok((board, finished))
}

fn all_by(finished: &Finished, backend: &str) -> Result<()> {
    ensure!(!finished.log.is_empty(), "nothing was injected: {}", finished.stderr);
    ensure!(
        finished.log.iter().all(|line| line["backend"] == backend),
        "not by {backend}: {:#?}",
        finished.log[0]
    );
    Ok(())
}

#[test]
fn any_value_can_be_returned_where_calls_can_be_changed() -> Result<()> {
    if !Kernel::running()?.injects_calls() {
        // Refused, with the option named: tested with the other refusals.
        let finished = Injector::run("read:retval=0")?.command(&["true"]).expect(125)?;
        ensure!(finished.stderr.contains("CONFIG_BPF_KPROBE_OVERRIDE"), "{}", finished.stderr);
        return Ok(());
    }
    let words = ["getppid", "0", "1", "4"];
    let second = |rule: &str, value: i64, backend: &str| -> Result<()> {
        let (board, finished) = under(rule, victim::CALLS, &words, 1, 4)?;
        let parent = board.results(0)?[0];
        ensure!(parent > 0, "{parent}");
        assert_eq!(board.results(0)?, [parent, value, parent, parent], "{rule}");
        all_by(&finished, backend)
    };
    second("getppid:retval=0:when=2", 0, "kprobe")?;
    second("getppid:retval=42:when=2", 42, "fmod_ret")?;
    // All 64 bits of it.
    second("getppid:retval=0x7fffffffffffffff:when=2", i64::MAX, "fmod_ret")?;
    second("getppid:error=4095:when=2", -4095, "fmod_ret")?;
    second("getppid:error=EPERM:when=2", -1, "fmod_ret")?;

    // A write that was never made, and is told as done: nothing is in the file.
    let (board, folder) = (Board::new(1, 5)?, victim::folder()?);
    Injector::run("write:retval=1:when=2..4")?
        .command(&[victim::CALLS, "write", "0", "1", "5"])
        .in_folder(board.stdin()?, folder.path())
        .expect(0)?;
    assert_eq!(board.results(0)?, [1; 5]);
    assert_eq!(fs::metadata(folder.path().join("write-0"))?.size(), 2);
    Ok(())
}

/// If one rule of a call needs the kprobe, all of them go there, so that each counts each call once.
#[test]
fn rules_of_one_call_share_a_backend() -> Result<()> {
    if !Kernel::running()?.injects_calls() {
        return Ok(());
    }
    let (board, folder) = (Board::new(1, 6)?, victim::folder()?);
    let finished = Injector::new(["run", "--json"])?
        .words(["-e", "inject=fsync:error=EIO:when=2+2", "-e", "inject=fsync:retval=0:when=3+3"])
        .words(["-e", "inject=fdatasync:error=EIO"])
        .logged()
        .command(&[victim::CALLS, "fsync", "0", "1", "6"])
        .in_folder(board.stdin()?, folder.path())
        .expect(0)?;
    all_by(&finished, "kprobe")?;
    let report = finished.report()?;
    let counts: Vec<_> = report.rules.iter().map(|rule| (rule.matched, rule.fired)).collect();
    assert_eq!(counts, [(6, 3), (6, 1), (0, 0)]);
    assert_eq!(board.failures(0)?, [2, 4, 6].map(|number| (number, libc::EIO)));
    Ok(())
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_32_bit_entry_is_one_of_its_own() -> Result<()> {
    const CALLS: usize = 4;
    let eio = || vec![-i64::from(libc::EIO); CALLS];
    let badf = vec![-i64::from(libc::EBADF); CALLS];
    let fine = vec![0i64; CALLS];
    for program in [victim::INT80, victim::INT80_32] {
        let wide = program == victim::INT80;
        // A name without an ABI means every entry. `close`, of the same number, is not meant.
        let cases = [
            ("read:error=EIO", true, true),
            ("read@32:error=EIO", true, !wide),
            ("read@64:error=EIO", false, wide),
            ("3@32:error=EIO", true, !wide),
            ("0@64:error=EIO", false, wide),
        ];
        for (rule, by_int80, by_own) in cases {
            let context = format!("{rule} on a program of {} bits", if wide { 64 } else { 32 });
            let (board, finished) = under(rule, program, &["4"], 3, CALLS).context(context.clone())?;
            assert_eq!(board.results(0)?, if by_int80 { eio() } else { fine.clone() }, "{context}: int 0x80");
            assert_eq!(
                board.results(1)?,
                if by_own { eio() } else { fine.clone() },
                "{context}: its own entry"
            );
            assert_eq!(board.results(2)?, badf, "{context}: close");
            let compat = finished.log.iter().filter(|line| line["number"] == 3).count();
            let native = finished.log.iter().filter(|line| line["number"] == 0).count();
            assert_eq!(compat, CALLS * (usize::from(by_int80) + usize::from(by_own && !wide)), "{context}");
            assert_eq!(native, CALLS * usize::from(by_own && wide), "{context}");
            ensure!(
                finished.log.iter().all(|line| line["syscall"] == "read"),
                "{context}: {:#?}",
                finished.log
            );
        }
    }
    Ok(())
}

/// What a distribution's kernel can fail: everything that passes a security hook. (On a kernel with error
/// injection it works by other means.)
#[test]
fn calls_that_pass_a_security_hook() -> Result<()> {
    let backend = if Kernel::running()?.injects_calls() { "fmod_ret" } else { "hook" };
    // Which number comes back is data to every backend: each of them once or twice will do.
    let errors = [libc::EIO, libc::ENOSPC, libc::EINTR, libc::EAGAIN];
    let names = ["read", "pread64", "write", "pwrite64", "openat", "connect", "rename", "mkdir"];
    for (name, errno) in names.into_iter().zip(errors.into_iter().cycle()) {
        let rule = format!("{name}:error={errno}:when=2");
        let (board, finished) = under(&rule, victim::CALLS, &[name, "0", "1", "4"], 1, 4)?;
        assert_eq!(board.failures(0)?, [(2, errno)], "{rule}");
        all_by(&finished, backend)?;
        let counts = &finished.report()?.rules[0];
        assert_eq!((counts.matched, counts.fired), (4, 1), "{rule}");
    }
    Ok(())
}

/// The same by ordinary programs, which make the calls as their C library does.
#[test]
fn ordinary_programs_meet_their_faults() -> Result<()> {
    let cases = [
        ("unlink,unlinkat:error=EBUSY", "rm file", "busy"),
        ("unlinkat,rmdir:error=EACCES", "rmdir folder", "denied"),
        ("link,linkat:error=EMLINK", "ln file other", "Too many links"),
        ("symlink,symlinkat:error=EDQUOT", "ln -s file other", "quota"),
        ("chmod,fchmodat:error=EROFS", "chmod 600 file", "Read-only"),
        ("chown,fchownat,lchown:error=EROFS", "chown 1 file", "Read-only"),
        ("truncate,ftruncate:error=EFBIG", "truncate -s 5 file", "too large"),
        ("statx,newfstatat,lstat,stat:error=EIO:when=1+", "stat file", "nput/output"),
        ("clone,clone3,fork,vfork:error=EAGAIN", "(true)", "fork"),
    ];
    for (rule, script, says) in cases {
        let folder = victim::folder()?;
        fs::write(folder.path().join("file"), "content")?;
        fs::create_dir(folder.path().join("folder"))?;
        let run = || -> Result<Finished> {
            let finished = Injector::run(rule)?.json().command(&["sh", "-c", script]);
            finished.in_folder(std::process::Stdio::null(), folder.path()).finish()
        };
        let finished = run().context(rule)?;
        ensure!(finished.code != 0 && finished.code != 125, "{rule}: `{script}` gave {finished:?}");
        ensure!(finished.stderr.contains(says), "{rule}: `{script}` said {}", finished.stderr);
        ensure!(finished.report()?.rules[0].fired > 0, "{rule}");
        let plain = Command::new("sh").args(["-c", script]).current_dir(folder.path()).output()?;
        ensure!(plain.status.success(), "{script} fails by itself: {plain:?}");
    }
    Ok(())
}

/// One call, one decision, however often its hook runs: copies within the kernel, directories, sockets.
#[test]
fn one_decision_per_call() -> Result<()> {
    let cases = [
        // perl because it makes exactly the call that it is told to.
        ("getdents64", "syscall(217, fileno($in), $buffer, 10)"),
        ("sendto", "syscall(44, fileno($socket), $buffer, 5, 0, 0, 0)"),
        ("openat", "syscall(257, -100, $name, 0102, 0644)"),
        ("fallocate", "syscall(285, fileno($out), 0, 0, 4096)"),
    ];
    for (name, call) in cases {
        let folder = victim::folder()?;
        fs::write(folder.path().join("in"), vec![b'x'; 100_000])?;
        let script = format!(
            "open($in, '<', 'in'); open($out, '>', 'out'); $buffer = 'x' x 100; $name = 'new'; use Socket; \
             socketpair($socket, $peer, AF_UNIX, SOCK_DGRAM, 0); \
             for (1..5) {{ {call} }}"
        );
        let finished = Injector::run(&format!("{name}:error=EIO"))?
            .words(["--monitor"])
            .json()
            .command(&["perl", "-e", &script])
            .in_folder(std::process::Stdio::null(), folder.path())
            .expect(0)?;
        let counts = &finished.report()?.rules[0];
        let others = if name == "openat" { counts.matched.saturating_sub(5) } else { 0 };
        // getdents64 of a file that is no directory fails before its hook.
        let expected = if name == "getdents64" && !Kernel::running()?.injects_calls() { 0 } else { 5 };
        ensure!(counts.matched == expected + others, "{name}: {counts:?}");
    }
    Ok(())
}
