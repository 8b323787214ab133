//! Whoever leads the run while it goes on: orders from the terminal and from elsewhere, by a socket in the run's folder.
//! With `--step` no step begins unless it is told to.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _},
    net::UnixListener,
    sync::{mpsc, oneshot, watch},
};

use crate::experiment::{
    journal::Record,
    run::{abort::Abort, recorder::Recorder},
};

/// The socket's name in the folder of a run.
const SOCKET: &str = "control.sock";

/// What a commander says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The step that waits begins; a schedule that is held goes on.
    Go,
    /// The step that waits is left out.
    Skip,
    /// No step begins until somebody says [`Order::Go`].
    Hold,
    /// The run ends.
    Abort {
        /// Who says so.
        by: String,
    },
    /// Something to be remembered.
    Note {
        /// Who says so.
        by: String,
        /// What.
        text: String,
    },
}

/// Whether a step begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    /// It does.
    Begin,
    /// It is left out.
    Skip,
}

/// Carries out orders. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Commander(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Each step waits for an order.
    step: bool,
    held: watch::Sender<bool>,
    /// The step that waits.
    waiting: Mutex<Option<oneshot::Sender<Permit>>>,
}

impl Commander {
    /// Who has every step wait for an order (`step`), or none.
    pub(super) fn new(step: bool) -> Self {
        Self(Arc::new(Inner { step, held: watch::Sender::new(false), waiting: Mutex::default() }))
    }

    /// Waits until a step may begin; also tells whether somebody had it wait.
    pub(super) async fn permit(&self, recorder: &Recorder, path: &str, what: &str) -> (Permit, bool) {
        if !self.0.step && !*self.0.held.borrow() {
            return (Permit::Begin, false);
        }
        let (answer, permit) = oneshot::channel();
        *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        recorder.record(Record::Waiting { path: path.to_owned(), what: what.to_owned() });
        (permit.await.unwrap_or(Permit::Begin), true)
    }

    /// Carries out an order.
    pub(super) fn obey(&self, order: Order, recorder: &Recorder, abort: &Abort) {
        let permit = match order {
            Order::Note { by, text } => {
                recorder.record(Record::Note { by: Some(by), text });
                return;
            }
            Order::Abort { by } => {
                abort.now(by, true);
                return;
            }
            Order::Hold => {
                self.0.held.send_replace(true);
                recorder.record(Record::Note { by: None, text: "the schedule is held".to_owned() });
                return;
            }
            Order::Go => Permit::Begin,
            Order::Skip => Permit::Skip,
        };
        self.0.held.send_replace(false);
        if let Some(waiting) = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // The run ends, and with it the step.
            let _ = waiting.send(permit);
        }
    }

    /// Carries out what comes, until the future is dropped: from `orders`, and from the socket in the run's folder.
    pub(super) async fn listen(
        self,
        folder: PathBuf,
        mut orders: mpsc::UnboundedReceiver<Order>,
        recorder: Recorder,
        abort: Abort,
    ) {
        let socket = UnixListener::bind(folder.join(SOCKET));
        if let Err(error) = &socket {
            recorder.warn(format!("notes from elsewhere cannot be taken: {error}"));
        }
        loop {
            tokio::select! {
                Some(order) = orders.recv() => self.obey(order, &recorder, &abort),
                Some(order) = from_elsewhere(socket.as_ref().ok()) => self.obey(order, &recorder, &abort),
                else => return,
            }
        }
    }
}

/// The next order that comes by the socket.
async fn from_elsewhere(socket: Option<&UnixListener>) -> Option<Order> {
    let Some(socket) = socket else { return std::future::pending().await };
    loop {
        let Ok((stream, _)) = socket.accept().await else { continue };
        let (read, mut write) = stream.into_split();
        let mut lines = tokio::io::BufReader::new(read).lines();
        // Whoever connects says something at once, or is not heard.
        let line = tokio::time::timeout(std::time::Duration::from_secs(1), lines.next_line()).await;
        let order =
            line.ok().and_then(Result::ok).flatten().and_then(|line| serde_json::from_str(&line).ok());
        if let Some(order) = order {
            let _ = write.write_all(b"ok\n").await;
            return Some(order);
        }
    }
}

/// Gives an order to the run in a folder, from another process.
///
/// # Errors
/// `NotFound`, `ConnectionRefused`: no run goes on there.
pub fn order(folder: &Path, order: &Order) -> io::Result<()> {
    let mut stream = UnixStream::connect(folder.join(SOCKET))?;
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    if answer == "ok\n" { Ok(()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
}

/// The end of the socket.
pub(super) fn forget(folder: &Path) {
    let _ = std::fs::remove_file(folder.join(SOCKET));
}
