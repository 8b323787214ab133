//! A load that is one command, which runs all the while and prints a line for each operation.
//!
//! What it says comes when an operation has ended, so its samples are complete only up to the load's timeout before now. A
//! line on something older counts for the oldest moment that is still open, with its latency as it was.

use std::{
    process::ExitStatus,
    time::{Duration, SystemTime},
};

use nix::sys::signal::Signal;
use tokio::{
    io::AsyncReadExt,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

use crate::{
    clock,
    experiment::{
        command,
        failure::{Ending, Failure},
        lines::Lines,
        load::{
            Ended,
            figures::{self, Figure},
        },
        model::{CommandLine, Figures, Load},
        namespaces::{Place, Process},
        sample::{Outcome, Sample},
        source::{Outlet, SourceError, Stop, Timer},
        variables::Variables,
    },
};

/// So long after an operation's end its line may come: the tool and the pipe keep it for a while.
const SLACK: Duration = Duration::from_secs(1);

/// How often the watermark is moved.
const TICK: Duration = Duration::from_millis(100);

/// The command of a load, and what it has said.
pub(super) struct Stream<'a> {
    load: &'a Load,
    figures: &'a Figures,
    outlet: &'a Outlet,
    /// Samples are complete up to here.
    complete: u64,
    ended: Ended,
}

impl<'a> Stream<'a> {
    pub(super) fn new(load: &'a Load, figures: &'a Figures, outlet: &'a Outlet) -> Self {
        Self { load, figures, outlet, complete: 0, ended: Ended::default() }
    }

    /// Runs it from `start` until it is told to stop; then it has the load's timeout to end.
    pub(super) async fn run(
        mut self,
        command: &CommandLine,
        place: &Place,
        variables: &Variables,
        start: u64,
        mut stop: Stop,
    ) -> Result<Ended, SourceError> {
        let timer = Timer::new().map_err(SourceError::Timer)?;
        self.outlet.complete_until(start);
        self.complete = start;
        tokio::select! {
            () = stop.given() => return Ok(self.ended),
            result = timer.until(start) => result.map_err(SourceError::Timer)?,
        }
        if let Err(failure) = self.follow(command, place, variables, &mut stop).await {
            let now = clock::now();
            self.deliver(now, now, Outcome::Bad(Failure::Ended.to_string()));
            self.ended.died = Some(failure);
        }
        Ok(self.ended)
    }

    /// Until the command has ended; the error says why, if it was not told to.
    async fn follow(
        &mut self,
        line: &CommandLine,
        place: &Place,
        variables: &Variables,
        stop: &mut Stop,
    ) -> Result<(), String> {
        let failed = |failure: Failure| failure.to_string();
        let words =
            command::words(line, |name| variables.value(name)).map_err(|missing| missing.to_string())?;
        let started = place.start(&words).await.map_err(|error| failed(error.into()))?;
        // Dropped in the other order: the group while its number is still its own.
        let Process { mut child, group, ended: leader } = started;
        let mut complaint = JoinSet::new();
        complaint.spawn(command::complaint(child.stderr.take()));
        let mut stdout = child.stdout.take();
        let (mut lines, mut piece) = (Lines::default(), Vec::with_capacity(1 << 16));
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut told, mut dead, mut end) = (false, false, None);
        loop {
            tokio::select! {
                biased;
                () = stop.given(), if !told => {
                    told = true;
                    end = end.or(Instant::now().checked_add(self.load.timeout.saturating_add(SLACK)));
                    group.signal(Signal::SIGTERM);
                }
                read = next_piece(&mut stdout, &mut piece), if stdout.is_some() => {
                    lines.take(&piece, |line| self.take(line));
                    if !read {
                        stdout = None;
                    }
                }
                () = leader.wait(), if !dead => {
                    dead = true;
                    group.signal(Signal::SIGKILL);
                    // The rest of what it said is in the pipe.
                    end = Some(Instant::now() + SLACK);
                }
                _ = tick.tick() => self.move_watermark(),
                () = until(end), if end.is_some() => break,
            }
            if dead && stdout.is_none() {
                break;
            }
        }
        drop(group);
        let status = child.wait().await.map_err(|error| failed(error.into()))?;
        if told { Ok(()) } else { Err(last_words(status, complaint).await) }
    }

    fn move_watermark(&mut self) {
        let open = clock::nanoseconds(self.load.timeout.saturating_add(SLACK));
        self.complete = self.complete.max(clock::now().saturating_sub(open));
        self.outlet.complete_until(self.complete);
    }

    fn take(&mut self, line: &[u8]) {
        let Some(figure) = figures::read(self.figures, line) else { return };
        let now = clock::now();
        let latency = clock::nanoseconds(figure.latency);
        let began = match figure.began {
            Some(wall) => on_our_clock(wall).min(now),
            None => now.saturating_sub(latency),
        };
        let outcome = self.outcome(&figure);
        self.ended.late_lines += u64::from(began < self.complete);
        let began = began.max(self.complete);
        self.deliver(began, began.saturating_add(latency), outcome);
    }

    fn outcome(&self, figure: &Figure) -> Outcome {
        let expect = &self.load.expect;
        let failure = match &figure.result {
            _ if figure.latency > self.load.timeout => Failure::Timeout,
            Err(reason) => return Outcome::Bad(reason.clone()),
            Ok(Some(status)) if !expect.status.contains(status) => Failure::Ending(Ending::Http(*status)),
            Ok(_) if expect.within.is_some_and(|within| figure.latency > within) => Failure::TooSlow,
            Ok(_) => return Outcome::Good(None),
        };
        Outcome::Bad(failure.to_string())
    }

    fn deliver(&mut self, began: u64, end: u64, outcome: Outcome) {
        let number = self.ended.made;
        self.ended.made += 1;
        self.outlet.deliver(Sample { number, due: began, start: began, end, outcome });
    }
}

/// Reads what there is into `piece`; false at the end.
async fn next_piece(pipe: &mut Option<tokio::process::ChildStdout>, piece: &mut Vec<u8>) -> bool {
    piece.clear();
    match pipe {
        Some(pipe) => pipe.read_buf(piece).await.is_ok_and(|count| count > 0),
        None => false,
    }
}

async fn until(end: Option<Instant>) {
    if let Some(end) = end {
        sleep_until(end).await;
    }
}

/// How it ended, and the last line of its complaint.
async fn last_words(status: ExitStatus, mut complaint: JoinSet<Vec<u8>>) -> String {
    let ending = command::ending(status).to_string();
    let said = timeout(SLACK, complaint.join_next()).await;
    let said = said.ok().flatten().and_then(Result::ok).unwrap_or_default();
    match String::from_utf8_lossy(&said).trim().lines().last() {
        Some(line) => format!("{ending}: {line}"),
        None => ending,
    }
}

/// A time since 1970 on the clock that everything is counted with, both read now: somebody may set the former.
fn on_our_clock(wall: u64) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = clock::nanoseconds(now);
    if wall > now { clock::now().saturating_add(wall - now) } else { clock::now().saturating_sub(now - wall) }
}
