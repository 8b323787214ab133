//! The thread that looks after a live plan while others read its events, keep its lease and wait for signals. It lives
//! as long as the guard: with it those processes end that it has started (kernel/exit.c, `forget_original_parent`).

use std::{
    io,
    sync::mpsc::{self, Sender},
    thread,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::mpsc::{UnboundedReceiver, error::TryRecvError, unbounded_channel},
};

use crate::{
    engine::{end::End, error::EngineError, live::Live},
    kernel::rights::{self, Ceiling},
};

/// What came of a turn.
pub(super) type Turn = Result<Option<End>, EngineError>;

/// The thread that looks after a live plan, and the channels to and from it.
#[derive(Debug)]
pub(super) struct Worker {
    to: Sender<Box<Live>>,
    back: UnboundedReceiver<(Box<Live>, Turn)>,
}

impl Worker {
    /// Starts it. To be called in a tokio runtime.
    pub(super) fn start(ceiling: Ceiling) -> io::Result<Self> {
        let (to, jobs) = mpsc::channel::<Box<Live>>();
        let (results, back) = unbounded_channel();
        let runtime = Handle::current();
        let work = move || {
            // Descriptors that are waited for are registered with it.
            let _entered = runtime.enter();
            let mut below = false;
            for mut live in jobs {
                if let Err(error) = ceiling.respect(&mut below) {
                    live.notes.push(rights::kept_by("the thread that looks after the plan", &error));
                }
                let turn = live.turn();
                if results.send((live, turn)).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("injector-worker".into()).spawn(work)?;
        Ok(Self { to, back })
    }

    /// Has it go about a turn; the plan comes back if the thread is gone.
    pub(super) fn begin(&self, live: Box<Live>) -> Result<(), Box<Live>> {
        self.to.send(live).map_err(|mpsc::SendError(live)| live)
    }

    /// Waits until the turn is done; `None` if the thread is gone, and the plan with it. Can be dropped and called again.
    pub(super) async fn done(&mut self) -> Option<(Box<Live>, Turn)> {
        self.back.recv().await
    }

    /// The same for those who cannot do anything else meanwhile.
    pub(super) fn join(&mut self) -> Option<(Box<Live>, Turn)> {
        const STEP: Duration = Duration::from_millis(1);
        loop {
            match self.back.try_recv() {
                Ok(done) => return Some(done),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => thread::sleep(STEP),
            }
        }
    }
}
