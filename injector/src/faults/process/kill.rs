//! Sending a signal to processes that are held open, so that nobody else can get it who has their number by now.

use std::os::fd::AsFd as _;

use rustix::process::pidfd_send_signal;

use crate::{
    faults::process::{mark, victims::Spared},
    plan::unsupported::Mechanism,
    spec::signal::Signal,
    target::{Process, Target},
};

/// What came of it.
pub(super) struct Sent<'a> {
    pub(super) mechanism: Mechanism,
    pub(super) reached: Vec<&'a Process>,
    pub(super) failed: Vec<String>,
}

/// Sends `signal` to the `chosen` of a target; `whole`: are they all that may be met? All of a cgroup are killed at once,
/// with those who are born meanwhile, unless somebody in it is to be spared.
pub(super) fn send<'a>(
    signal: Signal,
    target: &Target,
    chosen: &[&'a Process],
    whole: bool,
    spared: &Spared,
) -> Sent<'a> {
    if let Target::Cgroup(cgroup) = target
        && signal == Signal::KILL
        && whole
        && spared.inside(cgroup).is_none()
        // Before Linux 5.14, and in a threaded cgroup (kernel/cgroup/cgroup.c, `cgroup_kill_write`), there is none.
        && mark::write(cgroup.as_fd(), c"cgroup.kill", "1").is_ok()
    {
        return Sent { mechanism: Mechanism::CgroupKill, reached: chosen.to_vec(), failed: Vec::new() };
    }
    let mut sent = Sent { mechanism: Mechanism::Pidfd, reached: Vec::new(), failed: Vec::new() };
    // SAFETY: a number from 1 to 64, to another process: what this one's C library keeps for itself does not matter.
    let raw = unsafe { rustix::process::Signal::from_raw_unchecked(i32::from(signal.number())) };
    for &process in chosen {
        match pidfd_send_signal(process.pidfd(), raw) {
            Ok(()) => sent.reached.push(process),
            // It has ended meanwhile.
            Err(rustix::io::Errno::SRCH) => {}
            Err(error) => sent.failed.push(format!("to process {}: {error}", process.pid())),
        }
    }
    sent
}
