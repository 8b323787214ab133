//! Targets, commands, plans and files that are not there, or that must not be touched.

use std::{fs, process::Command};

use anyhow::{Result, ensure};
use injector_tests::{
    guest::{self},
    injector::Injector,
};

use crate::{nothing_left, parts, refused, refused_target, says};

#[test]
fn words_that_the_command_line_does_not_know() -> Result<()> {
    // clap's own messages: the word, and what is near it.
    let finished = Injector::new(["attach", "--cgroop", "/x"])?.expect(2)?;
    ensure!(
        finished.stderr.contains("--cgroop") && finished.stderr.contains("--cgroup"),
        "{}",
        finished.stderr
    );
    let finished = Injector::new(["run", "--sed", "1"])?.command(&["true"]).expect(125)?;
    ensure!(finished.stderr.contains("--seed"), "{}", finished.stderr);
    Injector::new(["atach"])?.expect(2)?;
    Injector::new(["run", "-e", "inject=read:error=EIO"])?.expect(125)?;
    Injector::new(["--help"])?.expect(0)?;
    Injector::new(["run", "--help"])?.expect(0)?;
    Injector::new(["--version"])?.expect(0)?;
    Ok(())
}

#[test]
fn a_target_that_is_none() -> Result<()> {
    nothing_left(|| {
        refused_target(&[], 2, &parts("target", "none was named", "--cgroup PATH"))?;
        refused_target(
            &["--cgroup", "/tmp"],
            2,
            &parts("/tmp", "not in a cgroup file system", "below the cgroup mount"),
        )?;
        refused_target(
            &["--cgroup", "/no/such"],
            2,
            &parts("/no/such", "exists neither", "/proc/PID/cgroup"),
        )?;
        refused_target(
            &["--cgroup", "/sys/fs/cgroup/cgroup.procs"],
            2,
            &parts("/sys/fs/cgroup/cgroup.procs", "not", "cgroup"),
        )
    })
}

#[test]
fn a_process_that_is_gone() -> Result<()> {
    nothing_left(|| {
        let mut child = Command::new("true").spawn()?;
        child.wait()?;
        let pid = child.id().to_string();
        let finished = Injector::new(["attach", "-e", "inject=read:error=EIO", "--pid", &pid])?.expect(2)?;
        let (object, cause) = (finished.stderr.contains(&pid), finished.stderr.contains("no such process"));
        ensure!(object && cause && finished.stderr.contains("hint: check"), "{}", finished.stderr);
        // A zombie, which has a number still, is as good as gone.
        let mut child = Command::new("true").spawn()?;
        injector_tests::residue::wait_gone(child.id())?;
        let finished =
            Injector::new(["attach", "-e", "inject=read:error=EIO", "--pid", &child.id().to_string()])?
                .expect(2)?;
        ensure!(finished.stderr.contains("hint: "), "{}", finished.stderr);
        child.wait()?;
        Ok(())
    })
}

#[test]
fn process_1_and_the_root_cgroup_need_unsafe() -> Result<()> {
    nothing_left(|| {
        refused_target(&["--pid", "1"], 2, &parts("process 1", "init", "--unsafe"))?;
        for root in ["/", "/sys/fs/cgroup", "/sys/fs/cgroup/"] {
            refused_target(&["--cgroup", root], 2, &parts(root, "root cgroup", "--unsafe"))?;
        }
        // Those who insist get them: nothing is attached for this.
        for words in [["--pid", "1"], ["--cgroup", "/sys/fs/cgroup"]] {
            let injector = Injector::new(["attach", "--unsafe", "--dry-run", "-e", "inject=read:error=EIO"])?;
            injector.words(words).expect(0)?;
        }
        Ok(())
    })
}

#[test]
fn the_injector_itself_and_kernel_threads_are_no_targets() -> Result<()> {
    nothing_left(|| {
        // kthreadd.
        refused_target(&["--pid", "2"], 2, &parts("process 2", "kernel", "user space"))?;
        // Its own number, known beforehand only to a shell that becomes it.
        let script =
            format!("exec {} attach -e inject=read:error=EIO --pid $$", guest::injector()?.display());
        let output = Command::new("sh").args(["-c", &script]).output()?;
        ensure!(output.status.code() == Some(2), "{output:?}");
        Ok(())
    })
}

#[test]
fn a_command_that_cannot_be_started() -> Result<()> {
    nothing_left(|| {
        let rule = "inject=read:error=EIO";
        let finished = Injector::new(["run", "-e", rule])?.command(&["/no/such/program"]).expect(127)?;
        says(&finished, &parts("/no/such/program", "no such program", "check the path"))?;
        let finished = Injector::new(["run", "-e", rule])?.command(&["no-such-program"]).expect(127)?;
        says(&finished, &parts("no-such-program", "no such program", "$PATH"))?;
        let finished = Injector::new(["run", "-e", rule])?.command(&["/etc/passwd"]).expect(126)?;
        says(&finished, &parts("/etc/passwd", "ermission denied", "x bit"))?;
        Ok(())
    })
}

#[test]
fn a_log_that_cannot_be_written() -> Result<()> {
    nothing_left(|| {
        let words = ["--log", "/no/such/folder/log", "-e", "inject=read:error=EIO"];
        refused(&words, 2, &parts("/no/such/folder/log", "No such file", "directory"))?;
        fs::create_dir_all("/tmp/a-folder")?;
        let words = ["--log", "/tmp/a-folder", "-e", "inject=read:error=EIO"];
        refused(&words, 2, &parts("/tmp/a-folder", "directory", "name a file"))
    })
}

#[test]
fn plans_that_are_not_there() -> Result<()> {
    nothing_left(|| {
        let finished = Injector::new(["stop", "0badcafe"])?.expect(2)?;
        says(&finished, &parts("0badcafe", "no injection", "injector ps"))?;
        Injector::new(["stop"])?.expect(2)?;
        Injector::new(["stop", "--all"])?.expect(0)?;
        Ok(())
    })
}
