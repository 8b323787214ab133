//! Every call of every thread of a tree of processes, against a model that knows nothing of the kernel:
//! plain, on every kind of call, inside an overlay, and on a fully preemptible kernel.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use injector_tests::{
    guest::Kernel,
    network::sh,
    victim::{self, FSYNC, OPENAT, Operation, READ, Shape, WRITE, run_calls, usual},
};

use crate::{TREE, agrees_with_model};

#[test]
fn the_third_call_of_each_thread_fails() -> Result<()> {
    let operation = usual(Kernel::running()?);
    let folder = victim::folder()?;
    let shape = Shape { processes: 3, threads: 4, calls: 9 };
    let rule = format!("inject={}:error=EIO:when=3", operation.name);
    let (board, finished) = run_calls(&["-e".into(), rule], operation.name, shape, folder.path())?;
    for worker in 0..shape.workers() {
        assert_eq!(board.failures(worker)?, [(3, libc::EIO)], "worker {worker}");
    }
    let report = finished.report()?;
    assert_eq!((report.rules[0].matched, report.rules[0].fired), (12 * 9, 12));
    Ok(())
}

#[test]
fn every_call_agrees_with_the_model() -> Result<()> {
    let folder = victim::folder()?;
    agrees_with_model(usual(Kernel::running()?), TREE, folder.path())?;
    Ok(())
}

#[test]
fn every_kind_of_call_agrees_with_the_model() -> Result<()> {
    let kernel = Kernel::running()?;
    let folder = victim::folder()?;
    let shape = Shape { processes: 2, threads: 2, calls: 60 };
    let mut operations = vec![
        READ,
        WRITE,
        OPENAT,
        Operation { name: "pread64", number: libc::SYS_pread64 },
        Operation { name: "pwrite64", number: libc::SYS_pwrite64 },
        Operation { name: "connect", number: libc::SYS_connect },
    ];
    // Newer machines have only the calls that take descriptors of folders.
    #[cfg(target_arch = "x86_64")]
    operations.extend([
        Operation { name: "rename", number: libc::SYS_rename },
        Operation { name: "mkdir", number: libc::SYS_mkdir },
    ]);
    if kernel.injects_calls() {
        // The last one has no arguments, so that its functions are one for all ABIs.
        operations.extend([
            FSYNC,
            Operation { name: "fdatasync", number: libc::SYS_fdatasync },
            Operation { name: "getppid", number: libc::SYS_getppid },
        ]);
    }
    let backend = if kernel.injects_calls() { "fmod_ret" } else { "hook" };
    for operation in operations {
        let finished = agrees_with_model(operation, shape, folder.path()).context(operation.name)?;
        assert!(finished.log.iter().all(|line| line["backend"] == backend), "{}", operation.name);
    }
    Ok(())
}

/// Where the file system below asks the same security hooks again for the same call.
#[test]
fn inside_an_overlay_each_call_counts_once() -> Result<()> {
    let kernel = Kernel::running()?;
    let folder = victim::folder()?;
    let overlay = Overlay::mount(folder.path())?;
    let shape = Shape { processes: 2, threads: 2, calls: 100 };
    for operation in [READ, WRITE, OPENAT] {
        agrees_with_model(operation, shape, &overlay.merged).context(operation.name)?;
    }
    if kernel.injects_calls() {
        agrees_with_model(FSYNC, shape, &overlay.merged)?;
    }
    Ok(())
}

/// An overlay whose lower folder has the files that the victim uses, so that it copies them up as well.
struct Overlay {
    merged: std::path::PathBuf,
}

impl Overlay {
    fn mount(folder: &Path) -> Result<Self> {
        for name in ["lower", "upper", "work", "merged"] {
            fs::create_dir(folder.join(name))?;
        }
        for worker in 0..2 {
            for operation in ["read", "write", "openat", "fsync"] {
                fs::write(folder.join(format!("lower/{operation}-{worker}")), "from below")?;
            }
        }
        let at = |name: &str| folder.join(name).display().to_string();
        let options = format!("lowerdir={},upperdir={},workdir={}", at("lower"), at("upper"), at("work"));
        sh(&format!("mount -t overlay -o {options} overlay {}", at("merged")))?;
        Ok(Self { merged: folder.join("merged") })
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        if let Err(error) = sh(&format!("umount {}", self.merged.display())) {
            eprintln!("{error}");
        }
    }
}

/// With a fully preemptible kernel a program can be interrupted by another task that would run it, too.
/// The kernel then skips that run, unless the program is one of a kprobe or of a security module. And
/// before 6.2 it does not find the state of a thread while another's is being looked for on the same CPU
/// (kernel/bpf/bpf_task_storage.c, `bpf_task_storage_trylock`): there it is at least told.
#[test]
fn under_full_preemption_every_call_agrees_with_the_model() -> Result<()> {
    let _preemption = FullPreemption::switch_on()?;
    let (kernel, folder) = (Kernel::running()?, victim::folder()?);
    if kernel != Kernel::Debian61 {
        let finished = agrees_with_model(usual(kernel), TREE, folder.path())?;
        let backend = if kernel.injects_calls() { "kprobe" } else { "hook" };
        assert!(finished.log.iter().all(|line| line["backend"] == backend));
        return Ok(());
    }
    let (board, finished) =
        run_calls(&["-e".into(), "inject=read:error=EIO".into()], "read", TREE, folder.path())?;
    let mut failed = 0;
    for worker in 0..TREE.workers() {
        failed += board.failures(worker)?.len() as u64;
    }
    let (report, calls) = (finished.report()?, (TREE.workers() * TREE.calls) as u64);
    let counts = &report.rules[0];
    let uncounted = counts.suppressed_by("no-counter");
    eprintln!("{failed} of {calls} calls failed, {uncounted} had no state, {} were skipped", report.skipped);
    assert_eq!((counts.fired, counts.matched), (failed, failed + uncounted));
    // Others make such calls as well.
    assert!(counts.matched + report.skipped >= calls, "calls passed without a word: {report:?}");
    Ok(())
}

/// `preempt=full`, as by the kernel's command line (kernel/sched/core.c, `sched_dynamic_update`).
struct FullPreemption {
    before: String,
}

impl FullPreemption {
    const MODE: &str = "/sys/kernel/debug/sched/preempt";

    fn switch_on() -> Result<Self> {
        let modes = fs::read_to_string(Self::MODE)?;
        let before = modes.split(['(', ')']).nth(1).context("no mode in force")?.to_owned();
        fs::write(Self::MODE, "full")?;
        Ok(Self { before })
    }
}

impl Drop for FullPreemption {
    fn drop(&mut self) {
        if let Err(error) = fs::write(Self::MODE, &self.before) {
            eprintln!("cannot go back to preempt={}: {error}", self.before);
        }
    }
}
