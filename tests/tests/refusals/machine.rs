//! What the machine cannot do, or does not let us do.

use std::{os::unix::process::CommandExt, process::Command};

use anyhow::{Context, Result, ensure};
use injector_tests::{
    cgroup::Scratch,
    guest::{self, Kernel},
    injector::Injector,
};

use crate::{Parts, nothing_left, parts, refused};

#[test]
fn a_missing_capability_is_named() -> Result<()> {
    nothing_left(|| {
        let nobody = |words: &[&str]| -> Result<(i32, String)> {
            let mut command = Command::new(guest::injector()?);
            let output = command.args(words).uid(65534).gid(65534).output()?;
            Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned()))
        };
        let target = Scratch::new()?;
        let path = target.path().display().to_string();
        let (code, said) = nobody(&["attach", "--cgroup", &path, "-e", "inject=read:error=EIO"])?;
        ensure!(code == 4 && said.contains("CAP_BPF") && said.contains("hint: "), "{code}: {said}");
        let (code, said) = nobody(&["attach", "--cgroup", &path, "--net", "loss 10%"])?;
        ensure!(code == 4 && said.contains("CAP_"), "{code}: {said}");
        let (code, said) = nobody(&["run", "-e", "inject=read:error=EIO", "--", "true"])?;
        ensure!(code == 125 && said.contains("CAP_BPF"), "{code}: {said}");
        let (code, said) = nobody(&["ps"])?;
        ensure!(code == 4 && said.contains("CAP_"), "{code}: {said}");
        let (code, said) = nobody(&["doctor"])?;
        ensure!(code == 4, "{code}: {said}");
        let (code, said) = nobody(&["recover"])?;
        ensure!(code == 4 && said.contains("CAP_SYS_PTRACE"), "{code}: {said}");
        Ok(())
    })
}

#[test]
fn a_kernel_without_the_mechanism() -> Result<()> {
    nothing_left(|| {
        const OPTION: &str = "CONFIG_FUNCTION_ERROR_INJECTION";
        let cases = [
            // No hook to fail it at.
            ("inject=fsync:error=EIO", "fsync", OPTION),
            ("inject=msync:error=EIO", "msync", OPTION),
            // A hook, but none that could do this.
            ("inject=read:retval=0", "read", "CONFIG_BPF_KPROBE_OVERRIDE"),
            ("inject=read:retval=42", "read", OPTION),
            ("inject=openat:error=ECHILD", "openat", OPTION),
        ];
        if Kernel::running()?.injects_calls() {
            // What the others refuse works here; that it acts as well is tested elsewhere.
            for (rule, ..) in cases {
                Injector::new(["run", "--dry-run", "-e", rule])?.command(&["true"]).expect(0)?;
            }
            return Ok(());
        }
        for (rule, object, option) in cases {
            refused(&["-e", rule], 3, &Parts { object, cause: option, remedy: OPTION }).context(rule)?;
        }
        // What it can do instead is there to be typed.
        for (rule, option, instead) in [
            ("inject=fsync:error=EIO:path=/data/**", "--io", "write:error=EIO:path=/data/**"),
            ("inject=openat:retval=0", "-e", "inject=openat:error=EIO"),
        ] {
            let said = Injector::new(["run", "-e", rule])?.command(&["true"]).expect(125)?.stderr;
            let typed = [format!("{option} {instead}"), format!("{option} '{instead}'")];
            ensure!(typed.iter().any(|words| said.contains(words)), "{rule}: {said}");
            Injector::new(["run", "--dry-run", option, instead])?.command(&["true"]).expect(0)?;
        }
        // One such rule spoils the whole plan: nothing is half applied.
        refused(
            &["-e", "inject=read:error=EIO", "-e", "inject=fsync:error=EIO"],
            3,
            &parts("fsync", OPTION, OPTION),
        )
    })
}

#[test]
fn a_machine_without_version_2_cgroups() -> Result<()> {
    nothing_left(|| {
        let injector = guest::injector()?;
        let script = format!(
            "umount /sys/fs/cgroup; exec {} run -e inject=read:error=EIO -- true",
            injector.display()
        );
        let output = Command::new("unshare").args(["--mount", "sh", "-c", &script]).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(125), "{output:?}");
        ensure!(said.contains("no version 2 hierarchy") && said.contains("mount -t cgroup2"), "{said}");
        Ok(())
    })
}

/// A limit is named as one: it is neither this kernel's fault nor the rules'.
#[test]
fn a_limit_that_was_reached() -> Result<()> {
    nothing_left(|| {
        let injector = guest::injector()?;
        let attach = format!(
            "exec {} attach --pid {} -e inject=openat:error=EIO --for 1s",
            injector.display(),
            std::process::id()
        );
        let said = |script: &str| -> Result<(i32, String)> {
            let output = Command::new("unshare").args(["--mount", "sh", "-c", script]).output()?;
            let said = [output.stderr, output.stdout].concat();
            Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned()))
        };
        for files in [6, 8, 16, 24, 32] {
            let (code, said) = said(&format!("ulimit -n {files}; {attach}"))?;
            ensure!(code == 1 && said.contains("RLIMIT_NOFILE"), "{files}: {code}: {said}");
            ensure!(said.contains(&format!("{files} files")) && said.contains("ulimit -n 4096"), "{said}");
        }
        for (files, expected) in [(8, 1), (32, 1), (64, 0)] {
            let script = format!("ulimit -n {files}; exec {} doctor", injector.display());
            let (code, said) = said(&script)?;
            ensure!(code == expected, "{files}: {code}: {said}");
            ensure!(said.contains("RLIMIT_NOFILE") == (expected == 1), "{files}: {said}");
        }
        let root = std::path::Path::new("/sys/fs/cgroup");
        std::fs::write(root.join("cgroup.subtree_control"), "+memory")?;
        let small = Scratch::new()?;
        std::fs::write(small.path().join("memory.max"), "20M")?;
        let script = format!("echo $$ > {}/cgroup.procs; {attach}", small.path().display());
        let (code, said_of_memory) = said(&script)?;
        ensure!(code == 1 && said_of_memory.contains("memory.max"), "{code}: {said_of_memory}");
        ensure!(said_of_memory.contains("20971520 bytes"), "{said_of_memory}");
        let script = format!(
            "mount -t tmpfs none /proc; exec {} run -e inject=read:error=EIO -- true",
            injector.display()
        );
        let (code, said_of_run) = said(&script)?;
        ensure!(code == 125 && said_of_run.contains("mount -t proc"), "{code}: {said_of_run}");
        let script = format!("mount -t tmpfs none /proc; exec {} recover", injector.display());
        let (code, said) = said(&script)?;
        ensure!(
            code != 0 && said.contains("mount -t proc") && !said.contains("kernel log"),
            "{code}: {said}"
        );
        Ok(())
    })
}
