//! Who looks after a service: starts it, says when it is ready, starts it again when it ends, and stops it.

use std::{future, io, pin::Pin, process::ExitStatus};

use tokio::{
    process::Child,
    sync::{
        mpsc::{self, UnboundedReceiver, UnboundedSender},
        oneshot, watch,
    },
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use crate::experiment::{
    journal::Record,
    lab::{
        members,
        program::{Program, end},
    },
};

/// How a service does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It was started, or is about to be.
    Starting,
    /// It answers, or has nothing to be asked.
    Ready,
    /// It has not answered in time, for this reason, and runs on.
    Late(String),
    /// It has ended, in these words, and will be started again.
    Between(String),
    /// It has ended, in these words, and stays so.
    Over(String),
}

/// What a service's supervisor can be asked.
#[derive(Debug)]
pub(super) enum Ask {
    /// Stop it, if it runs, and start it again.
    Restart(oneshot::Sender<Result<(), String>>),
    /// Stop it for good. The answer is what could not be ended.
    Stop(oneshot::Sender<Result<(), String>>),
}

type Readying = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A service and what is known of it.
pub(super) struct Supervisor {
    program: Program,
    events: UnboundedSender<Record>,
    state: watch::Sender<State>,
    child: Option<Child>,
    /// Whether it is ready in time.
    readying: Option<Readying>,
    again: Option<Instant>,
}

enum Next {
    Ask(Option<Ask>),
    Ended(io::Result<ExitStatus>),
    Readied(Result<(), String>),
    Again,
}

/// Starts to look after a service. It is started at once.
pub(super) fn look_after(
    program: Program,
    events: UnboundedSender<Record>,
) -> (UnboundedSender<Ask>, watch::Receiver<State>, JoinHandle<()>) {
    let (asking, asks) = mpsc::unbounded_channel();
    let (state, seen) = watch::channel(State::Starting);
    let this = Supervisor { program, events, state, child: None, readying: None, again: None };
    (asking, seen, tokio::spawn(this.run(asks)))
}

impl Supervisor {
    async fn run(mut self, mut asks: UnboundedReceiver<Ask>) {
        let _ = self.start("started");
        loop {
            let next = tokio::select! {
                biased;
                ask = asks.recv() => Next::Ask(ask),
                ended = ended(&mut self.child) => Next::Ended(ended),
                readied = readied(&mut self.readying) => Next::Readied(readied),
                () = due(self.again) => Next::Again,
            };
            match next {
                Next::Ask(Some(Ask::Restart(reply))) => {
                    let stopped = self.stop().await;
                    let started = stopped.and_then(|()| self.start("restarted"));
                    let _ = reply.send(started);
                }
                Next::Ask(Some(Ask::Stop(reply))) => {
                    let stopped = self.stop().await;
                    self.set(State::Over("stopped".into()));
                    let _ = reply.send(stopped);
                    return;
                }
                // The lab is gone, and has killed it.
                Next::Ask(None) => return,
                Next::Ended(status) => self.end(status),
                Next::Readied(Ok(())) => {
                    self.readying = None;
                    self.tell("ready");
                    self.set(State::Ready);
                }
                Next::Readied(Err(why)) => {
                    self.readying = None;
                    self.tell(&format!("not ready in time: {why}"));
                    self.set(State::Late(why));
                }
                Next::Again => {
                    // What it left behind would be in its way.
                    let program = &self.program;
                    members::end(&program.home.cgroup, program.stop_within).await;
                    let _ = self.start("restarted");
                }
            }
        }
    }

    fn start(&mut self, event: &str) -> Result<(), String> {
        self.again = None;
        // Before it starts: its first line may be the one.
        let ready = self.program.readiness.as_ref().map(|readiness| readiness.wait(&self.program.home));
        match self.program.spawn() {
            Ok(child) => {
                self.child = Some(child);
                self.tell(event);
                self.set(State::Starting);
                self.readying = Some(match ready {
                    Some(ready) => Box::pin(ready),
                    None => Box::pin(future::ready(Ok(()))),
                });
                Ok(())
            }
            Err(why) => {
                self.tell(&why);
                self.set(State::Over(why.clone()));
                Err(why)
            }
        }
    }

    /// It has ended by itself, or was killed by somebody else.
    fn end(&mut self, status: io::Result<ExitStatus>) {
        (self.child, self.readying) = (None, None);
        let (how, back) = match status {
            Ok(status) => (end(status), self.program.comes_back(status)),
            Err(error) => (format!("cannot be waited for: {error}"), false),
        };
        self.tell(&how);
        if back {
            self.again = Some(Instant::now() + self.program.restart_after);
            self.set(State::Between(how));
        } else {
            self.set(State::Over(how));
        }
    }

    /// Stops all that is in its cgroup, also what is not its child.
    async fn stop(&mut self) -> Result<(), String> {
        (self.again, self.readying) = (None, None);
        let all = members::end(&self.program.home.cgroup, self.program.stop_within).await;
        if let Some(mut child) = self.child.take() {
            match timeout(self.program.stop_within, child.wait()).await {
                Ok(Ok(status)) => self.tell(&end(status)),
                _ => self.tell("does not end"),
            }
        }
        if all { Ok(()) } else { Err(format!("service `{}` does not end", self.program.name)) }
    }

    fn tell(&self, event: &str) {
        let record = Record::Service { name: self.program.name.clone(), event: event.into() };
        // Whoever listened may have left.
        let _ = self.events.send(record);
    }

    fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

async fn ended(child: &mut Option<Child>) -> io::Result<ExitStatus> {
    match child {
        Some(child) => child.wait().await,
        None => future::pending().await,
    }
}

async fn readied(readying: &mut Option<Readying>) -> Result<(), String> {
    match readying {
        Some(readying) => readying.await,
        None => future::pending().await,
    }
}

async fn due(again: Option<Instant>) {
    match again {
        Some(at) => sleep_until(at).await,
        None => future::pending().await,
    }
}
