//! What is done to files: each operation, by ordinary programs; and counting, beside rules on calls.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use injector_tests::{injector::Injector, victim};

use crate::under;

#[test]
fn each_operation_on_files_can_fail() -> Result<()> {
    let cases = [
        ("open:error=EMFILE:path=file", "cat file", "Too many open files"),
        ("create:error=EDQUOT:path=new", "touch new", "quota"),
        ("write:error=ENOSPC:path=copy", "cp file copy", "No space"),
        ("truncate:error=EFBIG:path=file", "truncate -s 5 file", "too large"),
        ("stat:error=EIO:path=file", "stat file", "nput/output"),
        ("chmod:error=EROFS:path=file", "chmod 600 file", "Read-only"),
        ("chown:error=EROFS:path=file", "chown 1 file", "Read-only"),
        ("rename:error=EBUSY:path=file", "mv file other", "busy"),
        ("rename:error=EBUSY:path=other", "mv file other", "busy"),
        ("link:error=EMLINK:path=other", "ln file other", "Too many links"),
        ("link:error=EMLINK:path=file", "ln file other", "Too many links"),
        ("symlink:error=EDQUOT:path=other", "ln -s file other", "quota"),
        ("unlink:error=EBUSY:path=file", "rm -f file", "busy"),
        ("mkdir:error=EACCES:path=new", "mkdir new", "denied"),
        ("rmdir:error=EACCES:path=folder", "rmdir folder", "denied"),
        (
            "ioctl:error=EIO:path=file",
            "perl -e 'open(F,q(file)); ioctl(F,0x5401,$b) or die $!'",
            "nput/output",
        ),
        ("lock:error=ENOLCK:path=file", "perl -e 'open(F,q(file)); flock(F,1) or die $!'", "No locks"),
    ];
    // Each in a folder of its own, all in one run, beside rules on the same operations elsewhere.
    let all = victim::folder()?;
    let mut rules = Vec::new();
    for ((rule, script, _), nth) in cases.iter().zip(0..) {
        let folder = all.path().join(format!("case{nth}"));
        fs::create_dir_all(folder.join("folder"))?;
        fs::write(folder.join("file"), "content")?;
        fs::write(folder.join("script"), script)?;
        rules.push(rule.replace("path=", "path=/not/"));
        rules.push(rule.replace("path=", &format!("path=case{nth}/")));
    }
    let script = "for folder in case*; do (cd $folder; sh ./script 2>said; echo $? >code); done";
    let texts: Vec<_> = rules.iter().map(String::as_str).collect();
    let finished = under(&texts, &["sh", "-c", script], all.path())?.expect(0)?;
    let counts = finished.report()?.rules;
    for ((rule, script, says), nth) in cases.iter().zip(0..) {
        // The kernel with error injection is built without locks on files (CONFIG_FILE_LOCKING).
        let folder = all.path().join(format!("case{nth}"));
        let plain = || Command::new("sh").args(["-c", script]).current_dir(&folder).status();
        if rule.starts_with("lock:") && !plain()?.success() {
            continue;
        }
        let (code, said) =
            (fs::read_to_string(folder.join("code"))?, fs::read_to_string(folder.join("said"))?);
        ensure!(
            code.trim() != "0" && said.contains(says),
            "{rule}: `{script}` ended with {code} and said {said}"
        );
        let (elsewhere, here) = (&counts[2 * nth], &counts[2 * nth + 1]);
        ensure!(elsewhere.matched == 0 && here.fired > 0, "{rule}: {elsewhere:?} {here:?}");
        let told = finished.log.iter().find(|line| line["rule"] == 2 * nth + 1).context("not in the log")?;
        assert_eq!(told["operation"], rule.split(':').next().unwrap_or_default(), "{rule}");
    }
    Ok(())
}

/// Two databases, and one of them has a bad disk.
#[test]
fn one_of_two_databases() -> Result<()> {
    let folder = victim::folder()?;
    // Without locks, which not every kernel has; nobody else is there.
    let database = |name: &str| format!("file:{name}?vfs=unix-none");
    let sql = "create table t(x); insert into t values (1);";
    for name in ["good.db", "bad.db"] {
        let made = Command::new("sqlite3").arg(database(name)).arg(sql).current_dir(folder.path()).status();
        ensure!(made.context("sqlite3 is needed")?.success());
    }
    let (good, bad) = (database("good.db"), database("bad.db"));
    let script = format!(
        "sqlite3 '{good}' 'select x from t'; sqlite3 '{bad}' 'select x from t'; \
         sqlite3 '{good}' 'insert into t values (2)' && echo inserted"
    );
    let rule = "read,write:error=EIO:path=bad.db:path=bad.db-*";
    let finished = under(&[rule], &["sh", "-c", &script], folder.path())?.expect(0)?;
    assert_eq!(finished.stdout, "1\ninserted\n", "{}", finished.stderr);
    ensure!(finished.stderr.contains("disk I/O error"), "{}", finished.stderr);
    ensure!(
        finished.log.iter().all(|line| line["path"].as_str().is_some_and(|path| path.contains("/bad.db")))
    );
    Ok(())
}

/// Both kinds of rules at one hook: each counts for itself, and the first one that fires decides.
#[test]
fn rules_on_operations_and_on_calls_are_asked_in_their_order() -> Result<()> {
    let script = "open(F,'>','file'); $|=1; $r=''; for (1..6) { $r .= (defined syswrite(F,'x')) ? 'w' : $!+0 } \
                  open(O,'>&',\\*STDOUT); print O $r";
    for (first, expected) in [("io", "w5w28w5"), ("call", "w28w28w28")] {
        let folder = victim::folder()?;
        // The operation fails at every fourth, the call at every second.
        let io = ["--io", "write:error=EIO:path=file:when=2+4"];
        let call = ["-e", "inject=write:error=ENOSPC:when=2+2"];
        let words = if first == "io" { [io, call] } else { [call, io] };
        let finished = Injector::new(["run", "--json"])?
            .words(words.concat())
            .command(&["perl", "-e", script])
            .in_folder(std::process::Stdio::null(), folder.path())
            .finish()?;
        let rules = finished.report()?.rules;
        let (io, call) = if first == "io" { (&rules[0], &rules[1]) } else { (&rules[1], &rules[0]) };
        // Where calls are caught before the hook, one that fails never gets there.
        if injector_tests::guest::Kernel::running()?.injects_calls() {
            ensure!(io.matched == 3 && call.fired >= 3, "{rules:?}");
            continue;
        }
        ensure!(finished.stdout.starts_with(expected), "{first}: {} {rules:?}", finished.stdout);
        ensure!(io.matched == 6 && call.matched >= 6, "{rules:?}");
        let overruled = if first == "io" { call } else { io };
        assert_eq!(overruled.suppressed_by("overruled"), 2, "{rules:?}");
    }
    Ok(())
}

#[test]
fn the_number_and_the_limit_of_matches_count() -> Result<()> {
    let folder = victim::folder()?;
    let script = "open(F,'>','file'); for (1..6) { print defined syswrite(F,'x') ? 'w' : '-' }";
    for (rule, expected) in [
        ("write:error=EIO:path=file:when=3", "ww-www"),
        ("write:error=EIO:path=file:times=2", "--wwww"),
        ("write:error=EIO:path=file:when=2..5+3", "w-ww-w"),
    ] {
        let finished = under(&[rule], &["perl", "-e", script], folder.path())?.expect(0)?;
        assert_eq!(finished.stdout, expected, "{rule}");
    }
    Ok(())
}

#[test]
fn neighbours_read_on() -> Result<()> {
    let folder = victim::folder()?;
    let file = folder.path().join("file");
    fs::write(&file, "content")?;
    let script = "cat file; touch met; sleep 1";
    let running = Injector::new(["run"])?
        .words(["--io", "read,open:error=EIO:path=file"])
        .command(&["sh", "-c", script])
        .in_folder(std::process::Stdio::null(), folder.path())
        .start()?;
    injector_tests::patience::until("the victim's fault", injector_tests::patience::LONG, || {
        Ok(folder.path().join("met").exists())
    })?;
    assert_eq!(fs::read_to_string(&file)?, "content");
    let finished = running.finish()?.expect(0)?;
    ensure!(finished.stderr.contains("nput/output"), "{}", finished.stderr);
    Ok(())
}

/// An error that must not leave a hook is refused before anything is attached.
#[test]
fn errors_that_hooks_must_not_return_are_refused() -> Result<()> {
    for error in ["ECHILD", "ESTALE", "ERESTARTSYS"] {
        let finished = Injector::new(["run"])?
            .words(["--io", &format!("read:error={error}")])
            .command(&["true"])
            .expect(125)?;
        ensure!(finished.stderr.contains("can only return an errno from 1 to 511"), "{}", finished.stderr);
    }
    Ok(())
}
