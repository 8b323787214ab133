//! `attach --detach`: the same command once more, in a session of its own, with this one waiting until its rules are in
//! place. What it has to say until then is said here; what it says later is in its report.

use std::{
    env,
    ffi::OsString,
    io::{self, Read, Write as _},
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
};

use anyhow::Context as _;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::setsid,
};

use crate::cli::{
    exit::{Code, Failure},
    outcome::Outcome,
    output,
    retyped::DETACHED,
};

/// Starts it, and gives its exit code if it ends before its rules are in place.
pub(super) fn detach(outcome: &Outcome) -> Result<Code, Failure> {
    if outcome.json || outcome.log_is_stream() || outcome.ready_fd.is_some() {
        return Err(Failure::usage(
            "--detach leaves nobody who could read --json, --log - or --ready-fd",
            "use --report FILE and --log FILE; the plan's id is printed when the rules are in place",
        ));
    }
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: between fork and exec only async-signal-safe calls are allowed, and setsid(2) is one.
    unsafe { command.pre_exec(|| Ok(setsid().map(drop)?)) };
    let mut child = command.spawn().context("cannot start injector in the background")?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Failure::other("cannot reach the injector in the background", ""));
    };
    match ready(stdout, stderr).context("cannot wait for the injector in the background")? {
        Some(id) => output::out(&id).map(|()| Code::OK),
        None => ended(&mut child),
    }
}

/// Those of this program, but without `--detach`, and with its readiness told on stdout.
fn arguments() -> impl Iterator<Item = OsString> {
    let words = env::args_os().skip(1).filter(|word| word != "--detach");
    words.chain([DETACHED.into()])
}

/// The line that says that the rules are in place, with what is said before it passed on; `None` if none comes.
fn ready(mut stdout: ChildStdout, mut stderr: ChildStderr) -> io::Result<Option<String>> {
    let mut line = String::new();
    let mut piece = [0; 4096];
    loop {
        let complete = line.ends_with('\n');
        let mut sources =
            [PollFd::new(stderr.as_fd(), PollFlags::POLLIN), PollFd::new(stdout.as_fd(), PollFlags::POLLIN)];
        // What was said before the line is there when the line is.
        let (sources, patience) = if complete {
            (&mut sources[..1], PollTimeout::ZERO)
        } else {
            (&mut sources[..], PollTimeout::NONE)
        };
        let said = poll(sources, patience)? > 0;
        if sources[0].any().unwrap_or_default() {
            let length = stderr.read(&mut piece)?;
            if length > 0 {
                let _ = io::stderr().write_all(&piece[..length]);
                continue;
            }
        }
        if complete {
            return Ok(Some(line));
        }
        if said {
            let length = stdout.read(&mut piece)?;
            if length == 0 {
                // It has ended; what it said last was its reason.
                io::copy(&mut stderr, &mut io::stderr())?;
                return Ok(None);
            }
            line.push_str(&String::from_utf8_lossy(&piece[..length]));
        }
    }
}

fn ended(child: &mut Child) -> Result<Code, Failure> {
    let status = child.wait().context("cannot wait for the injector in the background")?;
    Ok(status.code().map_or(Code::FAILED, Code::of_command))
}
