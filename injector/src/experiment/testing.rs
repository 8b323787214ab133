//! For tests: a small HTTP server on the loopback device that behaves as it is told, and short ways to what tests need.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::{self, UnboundedReceiver},
    task::JoinSet,
    time::sleep,
};

use crate::experiment::{
    model::{CommandLine, HttpRequest, Template},
    sample::{Outcome, Sample},
    source::{Outlet, Stop},
};

/// What the server does with a request.
pub(super) enum Reply {
    /// Answers after a while.
    Answer(Duration, u16, String),
    /// Says this, whatever it is, and ends the connection.
    Raw(&'static str),
    /// Resets the connection.
    Reset,
    /// Says nothing, ever.
    Hang,
}

pub(super) fn answer(status: u16, body: &str) -> Reply {
    Reply::Answer(Duration::ZERO, status, body.to_owned())
}

/// A server. Dropped, it is gone with all its connections.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) connections: Arc<AtomicU64>,
    _serving: JoinSet<()>,
}

impl Server {
    /// Answers by `law`, which sees the whole text of a request.
    pub(super) async fn new(law: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (law, connections) = (Arc::new(law), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&connections);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut all = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let law = Arc::clone(&law);
                all.spawn(async move { _ = serve(stream, &*law).await });
            }
        });
        Self { address, connections, _serving: serving }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn serve(mut stream: TcpStream, law: &(impl Fn(&str) -> Reply + Sync)) -> std::io::Result<()> {
    let mut got = Vec::new();
    loop {
        let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") else {
            if stream.read_buf(&mut got).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let head = String::from_utf8_lossy(&got[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        let end = end + 4 + length.unwrap_or(0);
        while got.len() < end {
            stream.read_buf(&mut got).await?;
        }
        let request = String::from_utf8(got.drain(..end).collect()).unwrap();
        match law(&request) {
            Reply::Answer(after, status, body) => {
                sleep(after).await;
                let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                stream.write_all(text.as_bytes()).await?;
            }
            Reply::Raw(text) => return stream.write_all(text.as_bytes()).await,
            Reply::Reset => return stream.set_zero_linger(),
            Reply::Hang => std::future::pending().await,
        }
    }
}

/// A port that nobody listens at.
pub(super) fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(super) fn template(text: &str) -> Template {
    Template::new(text)
}

pub(super) fn shell(text: &str) -> CommandLine {
    CommandLine::Shell(template(text))
}

pub(super) fn get(url: &str) -> HttpRequest {
    HttpRequest { url: template(url), method: "GET".to_owned(), headers: [].into(), body: None }
}

pub(super) fn text_pattern(text: &str) -> regex::bytes::Regex {
    regex::bytes::Regex::new(text).unwrap()
}

pub(super) type Received = UnboundedReceiver<(Arc<str>, Sample)>;

pub(super) fn outlet() -> (Outlet, Received) {
    let (samples, received) = mpsc::unbounded_channel();
    (Outlet::new("source", samples), received)
}

/// All samples of a source that has ended, in the order of their numbers.
pub(super) fn all(mut received: Received) -> Vec<Sample> {
    let mut samples: Vec<_> =
        std::iter::from_fn(|| received.try_recv().ok()).map(|(_, sample)| sample).collect();
    samples.sort_by_key(|sample| sample.number);
    samples
}

/// Word to stop after so long.
pub(super) fn stop_after(milliseconds: u64) -> Stop {
    let (say, stop) = Stop::new();
    tokio::spawn(async move {
        sleep(Duration::from_millis(milliseconds)).await;
        _ = say.send(true);
    });
    stop
}

/// What came of a sample: `ok`, its number, or the reason.
pub(super) fn told(sample: &Sample) -> String {
    match &sample.outcome {
        Outcome::Good(None) => "ok".to_owned(),
        Outcome::Good(Some(number)) => number.to_string(),
        Outcome::Bad(reason) => reason.clone(),
    }
}
