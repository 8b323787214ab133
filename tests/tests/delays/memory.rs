//! What is left in memory of delays that are over: nothing that grows with their number.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use injector_tests::{guest::Kernel, injector::Injector, patience};

use crate::helper;

/// Every thread has another number, and so another slot to sleep in.
const SCRIPT: &str = "
import os, threading, time
def go(): os.close(os.open('/dev/null', os.O_RDONLY | os.O_NOCTTY))
for _ in range(40):
    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
open('/tmp/memory-done', 'w')
time.sleep(60)
";

/// The number of cachestat(2), Linux 6.5.
const CACHESTAT: libc::c_long = 451;

/// Pages of the sleep slots that the kernel keeps. By a copy of the descriptor that the process has: to open the file again
/// would throw them away.
fn cached(pid: u32) -> Result<u64> {
    let open = fs::read_dir(format!("/proc/{pid}/fd"))?.filter_map(Result::ok);
    let slots = open
        .map(|entry| entry.path())
        .find(|path| fs::read_link(path).is_ok_and(|target| target.to_string_lossy().ends_with("/slots")));
    let number: i32 = slots.and_then(|path| path.file_name()?.to_str()?.parse().ok()).context("no slots")?;
    let (range, mut found) = ([0_u64; 2], [0_u64; 5]);
    // SAFETY: numbers; descriptors that the calls before have just made, closed with this process; two words to read
    // and five to write (include/uapi/linux/mman.h).
    let result = unsafe {
        let process = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        let file = libc::syscall(libc::SYS_pidfd_getfd, process, number, 0);
        let result = libc::syscall(CACHESTAT, file, range.as_ptr(), found.as_mut_ptr(), 0);
        libc::close(i32::try_from(file)?);
        libc::close(i32::try_from(process)?);
        result
    };
    nix::errno::Errno::result(result)?;
    Ok(found[0])
}

#[test]
fn pages_that_were_slept_for_are_not_kept() -> Result<()> {
    // Our own kernel has no cachestat; who waits there waits for the same file.
    let kernel = Kernel::running()?;
    if kernel.injects_calls() || !kernel.delays_at_hooks() {
        return Ok(());
    }
    let done = "/tmp/memory-done";
    let _ = fs::remove_file(done);
    let injector = Injector::run("openat:delay_enter=1ms:flags&O_NOCTTY")?;
    let running = injector.command(&["python3", "-S", "-c", SCRIPT]).start()?;
    patience::until("the end of 320 delays", patience::LONG, || Ok(fs::exists(done)?))?;
    let pager = helper("injector-pager")?;
    patience::until("pages that are given back", patience::LONG, || Ok(cached(pager)? == 0))?;
    running.signal(nix::sys::signal::Signal::SIGINT)?;
    let finished = running.finish()?;
    ensure!(finished.stderr.contains("320"), "{}", finished.stderr);
    Ok(())
}
