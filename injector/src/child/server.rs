//! The process of a plan: it makes it, applies it, and does what the program asks until the stream ends.

use std::{
    io,
    os::{fd::AsFd as _, unix::net::UnixStream},
    process::exit,
};

use nix::sys::prctl;
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::unix::OwnedWriteHalf,
};

use crate::{
    child::{
        log::Log,
        message::{Ask, Begin, Reply},
    },
    engine::{EngineError, Guard, Injector, Record, Start},
    target::rlimit,
};

/// The variable that tells a program that it is the process of a plan.
pub(super) const MARK: &str = "INJECTOR_PLAN_PROCESS";

/// Does the work of the process of a plan, if this is one, and ends it; else does nothing. To be called first in `main`,
/// before there is another thread.
pub fn serve() {
    if std::env::var_os(MARK).is_some() {
        exit(i32::from(run().is_err()));
    }
}

fn run() -> io::Result<()> {
    // As it is called in `ps` and in the tests for what is left behind.
    prctl::set_name(c"injector-plan")?;
    rlimit::raise();
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    stream.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (read, mut write) = tokio::net::UnixStream::from_std(stream)?.into_split();
        let mut lines = BufReader::new(read).lines();
        let Some(line) = lines.next_line().await? else { return Ok(()) };
        let asked: Begin = serde_json::from_str(&line)?;
        let mut log = match asked.log.as_deref().map(Log::open).transpose() {
            Ok(log) => log,
            Err(refused) => return send(&mut write, &refused).await,
        };
        let mut guard = match begin(asked) {
            Ok(guard) => guard,
            Err(error) => return send(&mut write, &Reply::from(error)).await,
        };
        let id = guard.plan().typed_id();
        send(&mut write, &Reply::Begun { id, notes: guard.notes().to_vec() }).await?;
        let mut over = false;
        loop {
            let line = tokio::select! {
                end = guard.wait(|record| written(&mut log, &record)), if !over => {
                    over = true;
                    send(&mut write, &end.map_or_else(Reply::from, Reply::Ended)).await?;
                    continue;
                }
                line = lines.next_line() => line?,
            };
            // The program has ended, or has let go of the plan.
            let Some(line) = line else { break };
            match serde_json::from_str(&line)? {
                Ask::Finish => {
                    let report = guard.finish(false, |record| written(&mut log, &record));
                    let reply = report.map_or_else(Reply::from, |report| Reply::Finished(Box::new(report)));
                    return send(&mut write, &reply).await;
                }
                ask => send(&mut write, &answer(&mut guard, ask)).await?,
            }
        }
        guard.finish(false, |_| ()).map(drop).map_err(io::Error::other)
    })
}

fn begin(begin: Begin) -> Result<Guard, EngineError> {
    let injector = begin.rules.into_iter().fold(Injector::new()?, Injector::rule);
    let injector = begin
        .targets
        .iter()
        .try_fold(injector, |injector, whom| Ok::<_, EngineError>(injector.target(whom.open()?)))?;
    let plan = injector.plan(begin.options)?;
    let mut guard = injector.apply(plan, Start::Now)?;
    guard.give_up_privileges();
    Ok(guard)
}

fn answer(guard: &mut Guard, ask: Ask) -> Reply {
    let reply = match ask {
        Ask::Update(rules) => guard.update(rules).map(Reply::Changed),
        Ask::Pause { rule, paused } => Ok(Reply::Paused(guard.pause(rule, paused))),
        Ask::Rules => guard.rules().map(Reply::Rules),
        Ask::Prolong(duration) => guard.prolong(duration).map(|()| Reply::Prolonged),
        Ask::Finish => return Reply::from(EngineError::Ended),
    };
    reply.unwrap_or_else(Reply::from)
}

async fn send(stream: &mut OwnedWriteHalf, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line).await
}

/// Writes a fault to the log, if there is one.
fn written(log: &mut Option<Log>, record: &Record) {
    if let Some(log) = log {
        log.write(record);
    }
}
