//! Requests over HTTP/1.1, through sockets that are made inside the namespaces of a service.
//!
//! A client keeps connections open and uses them again, as programs do. With `connection: close` among the headers of the
//! request each has a connection of its own. A request is made once: only if the kept connection turns out to be closed
//! before a byte of it is sent is it sent over a new one. Redirections are answers, and are not followed.

mod connection;
mod request;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    error::Error as _,
    io,
    sync::{Mutex, PoisonError},
};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{Response, body::Incoming};

use self::connection::Connection;
pub use self::request::Request;
use crate::experiment::{
    answer::{Answer, Ending, LONGEST},
    failure::Failure,
    namespaces::Place,
};

/// Makes requests from a place.
#[derive(Debug)]
pub struct Client {
    place: Place,
    /// Connections that wait for the next request, by host and port.
    idle: Mutex<BTreeMap<(String, u16), Vec<Connection>>>,
    keep: usize,
}

impl Client {
    /// A client that keeps so many connections to each server; with 0 each request has its own.
    pub fn new(place: Place, keep: usize) -> Self {
        Self { place, idle: Mutex::default(), keep }
    }

    /// Makes a request, and reads the answer to its end. Who drops the future closes the connection.
    ///
    /// # Errors
    /// [`Failure`]: the host is not found or reached, the connection ends, or the answer is not HTTP.
    pub async fn ask(&self, request: Request) -> Result<Answer, Failure> {
        let server = (request.host, request.port);
        let mut message = request.message;
        while let Some(mut kept) = self.kept(&server) {
            if !kept.ready().await {
                continue;
            }
            match kept.send(message).await {
                Ok(response) => return self.answer(kept, server, response).await,
                Err(mut error) => match error.take_message() {
                    Some(unsent) => message = unsent,
                    None => return Err(failure(&error.into_error())),
                },
            }
        }
        let mut fresh = Connection::open(&self.place, &server.0, server.1).await?;
        let response = fresh.send(message).await.map_err(|error| failure(&error.into_error()))?;
        self.answer(fresh, server, response).await
    }

    async fn answer(
        &self,
        connection: Connection,
        server: (String, u16),
        response: Response<Incoming>,
    ) -> Result<Answer, Failure> {
        let ending = Ending::Http(response.status().as_u16());
        let body =
            Limited::new(response.into_body(), LONGEST).collect().await.map_err(|error| match error
                .downcast::<hyper::Error>(
            ) {
                Ok(error) => failure(&error),
                Err(error) if error.is::<LengthLimitError>() => Failure::TooLong("body"),
                Err(_) => Failure::Closed,
            })?;
        self.keep(connection, server);
        Ok(Answer { ending, ..Answer::plain(body.to_bytes()) })
    }

    /// A connection that was kept.
    fn kept(&self, server: &(String, u16)) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).get_mut(server)?.pop()
    }

    fn keep(&self, connection: Connection, server: (String, u16)) {
        if self.keep == 0 {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(server).or_default();
        if kept.len() < self.keep {
            kept.push(connection);
        }
    }
}

/// What is behind an error of hyper.
fn failure(error: &hyper::Error) -> Failure {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(system) = cause.downcast_ref::<io::Error>() {
            return match system.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code).into(),
                None => system.kind().into(),
            };
        }
        source = cause.source();
    }
    if error.is_parse() { Failure::Protocol("HTTP") } else { Failure::Closed }
}

impl From<io::ErrorKind> for Failure {
    fn from(kind: io::ErrorKind) -> Self {
        io::Error::from(kind).into()
    }
}
