//! One connection that speaks HTTP, and the task that moves its bytes.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{SendRequest, handshake},
    },
};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use crate::experiment::{failure::Failure, namespaces::Place};

/// A connection. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// The one task in it ends with this.
    _moving: JoinSet<()>,
}

impl Connection {
    pub(super) async fn open(place: &Place, host: &str, port: u16) -> Result<Self, Failure> {
        let stream = place.connect(host, port).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| Failure::Closed)?;
        let mut moving = JoinSet::new();
        // What ends it, the request that is under way is told as well.
        moving.spawn(async move { _ = connection.await });
        Ok(Self { sender, _moving: moving })
    }

    pub(super) async fn send(
        &mut self,
        message: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        self.sender.try_send_request(message).await
    }

    /// Until the next request can be sent, or false if the connection has ended.
    pub(super) async fn ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }
}
