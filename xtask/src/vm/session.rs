//! One start of a machine, watched until the command is done, the time is up, or the machine is gone.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::accelerator::Accelerator;
use super::console;
use super::files::Files;
use super::guest::{Ending, Guest, Outcome};
use super::machine::{self, Machine};
use super::stream::{self, Streams};

/// How often QEMU and the clock are looked at.
const TICK: Duration = Duration::from_millis(20);

/// What the guest says about itself, a line each.
enum Report {
    Init,
    Run,
    Fail(String),
    Exit(i32),
}

/// A running machine and what it has said so far.
struct Session {
    start: Instant,
    qemu: Child,
    reports: Receiver<Report>,
    alive: bool,
    boot: Option<Duration>,
    failed: Option<String>,
    code: Option<i32>,
}

/// Runs `guest` once. None: with a limit for the `proof`, it gave no sign of life.
pub(super) fn run(
    (guest, files): (&Guest, &Files),
    accelerator: Accelerator,
    proof: Option<Duration>,
    folder: &Path,
    mark: &str,
) -> Result<Option<Outcome>> {
    let start = Instant::now();
    let Machine { qemu, stdout, stderr, reports } = machine::start(guest, files, accelerator, folder)?;
    let sockets = [stdout.try_clone()?, stderr.try_clone()?, reports.try_clone()?];
    let inherit = guest.streams == Streams::Inherit;
    let out = reader(stdout, mark, &folder.join("stdout"), inherit.then(std::io::stdout))?;
    let err = reader(stderr, mark, &folder.join("stderr"), inherit.then(std::io::stderr))?;
    let reports = report_lines(reports);
    let mut session = Session { start, qemu, reports, alive: false, boot: None, failed: None, code: None };
    let complete = || out.is_finished() && err.is_finished();
    let ending = session.watch(guest.limit, proof, folder, complete);
    let _ = session.qemu.kill();
    session.qemu.wait().context("cannot wait for QEMU")?;
    for socket in &sockets {
        // Another process may have inherited QEMU's end; ours must not wait for that. What is in the
        // sockets can still be read.
        let _ = socket.shutdown(Shutdown::Both);
    }
    let stdout = out.join().unwrap_or_default();
    let stderr = err.join().unwrap_or_default();
    let Some(mut ending) = ending? else { return Ok(None) };
    let console = fs::read(folder.join("console.log")).unwrap_or_default();
    let console = String::from_utf8_lossy(&console);
    if let Ending::Lost(why) = &mut ending {
        session.hear_the_rest();
        if let Some(code) = session.code {
            ending = Ending::Exited(code);
        } else if console::is_panic(&console) {
            ending = Ending::Panicked;
        } else if let Some(line) = last_line(&folder.join("qemu.log")) {
            *why = format!("{why}: {line}");
        }
    }
    let trouble = console::trouble(&console);
    Ok(Some(Outcome {
        ending,
        trouble,
        emulator_fault: console::is_emulator_fault(&console),
        stdout,
        stderr,
        boot: session.boot,
        took: start.elapsed(),
        folder: folder.to_owned(),
    }))
}

impl Session {
    /// Waits for the end; None if `proof` was wanted and not given.
    fn watch(
        &mut self,
        limit: Duration,
        proof: Option<Duration>,
        folder: &Path,
        complete: impl Fn() -> bool,
    ) -> Result<Option<Ending>> {
        loop {
            match self.reports.recv_timeout(TICK) {
                Ok(report) => self.hear(report),
                Err(RecvTimeoutError::Timeout) => {}
                // QEMU is going; its exit is seen below.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(TICK),
            }
            if let Some(why) = self.failed.take() {
                return Ok(Some(Ending::Lost(why)));
            }
            if let Some(code) = self.code
                && complete()
            {
                return Ok(Some(Ending::Exited(code)));
            }
            if let Some(status) = self.qemu.try_wait().context("cannot wait for QEMU")? {
                let lost = Ending::Lost(format!("QEMU ended ({status}) before the command did"));
                return Ok((proof.is_none() || self.alive).then_some(lost));
            }
            if self.start.elapsed() > limit {
                return Ok(Some(Ending::TimedOut));
            }
            if proof.is_some_and(|limit| !self.alive && (self.start.elapsed() > limit || kvm_gave_up(folder)))
            {
                return Ok(None);
            }
        }
    }

    fn hear(&mut self, report: Report) {
        match report {
            Report::Init => self.alive = true,
            Report::Run => self.boot = Some(self.start.elapsed()),
            Report::Fail(why) => self.failed = Some(why),
            Report::Exit(code) => self.code = Some(code),
        }
    }

    /// What the guest said before QEMU ended; the socket is shut down, so this comes to an end.
    fn hear_the_rest(&mut self) {
        while let Ok(report) = self.reports.recv_timeout(Duration::from_secs(1)) {
            self.hear(report);
        }
    }
}

/// A thread that brings a stream of the guest to where it belongs.
fn reader(
    from: UnixStream,
    mark: &str,
    file: &Path,
    inherited: Option<impl Write + Send + 'static>,
) -> Result<JoinHandle<Vec<u8>>> {
    let kept = fs::File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    let mark = mark.as_bytes().to_vec();
    Ok(thread::spawn(move || {
        let mut to: Vec<Box<dyn Write>> = vec![Box::new(kept)];
        if let Some(stream) = inherited {
            to.push(Box::new(stream));
        }
        stream::copy(from, &mark, to)
    }))
}

/// Reads the guest's reports in a thread.
fn report_lines(from: UnixStream) -> Receiver<Report> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let report = match word {
                "init" => Report::Init,
                "run" => Report::Run,
                "exit" => Report::Exit(rest.trim().parse().unwrap_or(125)),
                "fail" => Report::Fail(rest.to_owned()),
                _ => continue,
            };
            if sender.send(report).is_err() {
                break;
            }
        }
    });
    receiver
}

/// QEMU 7.2 stops the machine, and stays, when KVM meets an instruction that it cannot run.
fn kvm_gave_up(folder: &Path) -> bool {
    fs::read_to_string(folder.join("qemu.log")).is_ok_and(|said| said.contains("KVM internal error"))
}

fn last_line(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned)
}
