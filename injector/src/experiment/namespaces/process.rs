//! Starting commands inside the namespaces.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Command as StdCommand, Stdio},
};

use nix::{
    errno::Errno,
    sys::{prctl::set_pdeathsig, signal::Signal},
    unistd::{getpid, getppid},
};
use tokio::process::{Child, Command};

use crate::experiment::namespaces::{
    Place,
    group::{Ended, Group},
};

/// A command that runs. Dropped, it is killed with its group.
#[derive(Debug)]
pub struct Process {
    /// All of it. Goes first, while its number is still its own.
    pub group: Group,
    /// Tells when the leader has ended.
    pub ended: Ended,
    /// The leader.
    pub child: Child,
}

impl Place {
    /// Starts a program with its arguments, in a process group of its own, with its output in pipes and no input. The
    /// kernel kills it when the thread of this place is gone, with or without the runner.
    ///
    /// # Errors
    /// What the kernel says of it.
    pub async fn start(&self, words: &[String]) -> io::Result<Process> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut command = StdCommand::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        let runner = getpid();
        let cgroup = self.namespaces().cgroup.clone();
        let tied = move || {
            if let Some(cgroup) = &cgroup {
                // `0` stands for the writer.
                nix::unistd::write(cgroup, b"0")?;
            }
            set_pdeathsig(Signal::SIGKILL)?;
            // Had the runner died before that, nobody would tell.
            if getppid() == runner { Ok(()) } else { Err(Errno::ESRCH.into()) }
        };
        // SAFETY: between fork and exec it makes system calls and touches no memory but its own copy of a number and of a
        // descriptor, which is open as long as the command.
        unsafe {
            command.pre_exec(tied);
        }
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        // Whoever has stopped waiting for it by now gets the group nevertheless, and drops it.
        let start = move || {
            let child = command.spawn()?;
            let (group, ended) = Group::of(&child)?;
            Ok(Process { group, ended, child })
        };
        self.run(start).await
    }
}
