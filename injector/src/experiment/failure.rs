//! Why an operation or a look failed, in a few words that are the same for the same cause: the reasons of bad samples.
//!
//! Nothing here has an address, a port or a time in it, so that equal causes count together.

use std::{fmt, io};

use nix::{errno::Errno, sys::signal::Signal};

use crate::experiment::model::Missing;

/// Why something failed. Its text is the reason of the sample.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It took longer than its `timeout`.
    #[error("timeout")]
    Timeout,
    /// It was given up before it could begin: `at-once` others were still running all the while.
    #[error("too many at once")]
    Crowded,
    /// It ended as it should, but later than `expect.within`.
    #[error("too slow")]
    TooSlow,
    /// No address of a host.
    #[error("name not found")]
    NameNotFound,
    /// The other side ended the connection without an answer.
    #[error("connection closed")]
    Closed,
    /// What the kernel says.
    #[error("{0}")]
    System(String),
    /// Neither the status of HTTP nor the exit code that was expected.
    #[error("{0}")]
    Ending(Ending),
    /// `expect.matches` is not in it.
    #[error("{0} does not match")]
    Mismatch(&'static str),
    /// `expect.json` is not so.
    #[error("json does not match")]
    Json,
    /// There should be JSON.
    #[error("{0} is no JSON")]
    NoJson(&'static str),
    /// There should be a number.
    #[error("no number")]
    NoNumber,
    /// There is more than one number where one is needed.
    #[error("several numbers")]
    SeveralNumbers,
    /// More than anybody should send.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// The answer is not what this protocol has.
    #[error("no {0} answer")]
    Protocol(&'static str),
    /// What DNS says in place of an address.
    #[error("dns {0}")]
    Dns(String),
    /// A name in the file's text has no value yet.
    #[error("{0}")]
    Missing(Missing),
    /// A text that is not what it should be, once its names are filled in.
    #[error("`{text}` is no {what}")]
    Malformed {
        /// The text.
        text: String,
        /// What it should be.
        what: &'static str,
    },
    /// What is looked at is not there.
    #[error("no such {0}")]
    Absent(&'static str),
    /// A command that should run all the while has ended.
    #[error("ended")]
    Ended,
}

/// How an answer came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// It has nothing that tells success from failure but that it is there.
    #[default]
    Plain,
    /// Of HTTP, with this status.
    Http(u16),
    /// Of a command, which exited with this code.
    Exit(i32),
    /// Of a command that was ended by this signal.
    Signal(i32),
}

impl fmt::Display for Ending {
    /// `status 503`, `exit 1`, `signal KILL`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Plain => f.write_str("answered"),
            Self::Http(status) => write!(f, "status {status}"),
            Self::Exit(code) => write!(f, "exit {code}"),
            Self::Signal(number) => match Signal::try_from(number) {
                Ok(signal) => write!(f, "signal {}", signal.as_str().trim_start_matches("SIG")),
                Err(_) => write!(f, "signal {number}"),
            },
        }
    }
}

impl From<Missing> for Failure {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let code = error.raw_os_error().map(Errno::from_raw);
        let reason = match (code, error.kind()) {
            (_, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => "connection reset",
            (_, io::ErrorKind::UnexpectedEof) => return Self::Closed,
            (Some(Errno::ETIMEDOUT), _) => "connection timed out",
            (Some(code), _) => return Self::System(in_a_sentence(code.desc())),
            (None, kind) => return Self::System(kind.to_string()),
        };
        Self::System(reason.to_owned())
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}

/// `Connection refused` with a small letter; `RPC bad` as it is.
fn in_a_sentence(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_cause_has_the_same_words() {
        for (code, reason) in [
            (Errno::ECONNREFUSED, "connection refused"),
            (Errno::ECONNRESET, "connection reset"),
            (Errno::EPIPE, "connection reset"),
            (Errno::ETIMEDOUT, "connection timed out"),
            (Errno::EHOSTUNREACH, "no route to host"),
            (Errno::ENETUNREACH, "network is unreachable"),
            (Errno::ENOENT, "no such file or directory"),
            (Errno::EACCES, "permission denied"),
        ] {
            assert_eq!(Failure::from(code).to_string(), reason);
        }
        let text = io::Error::new(io::ErrorKind::NotFound, "failed to look up 10.0.0.1");
        assert_eq!(Failure::from(text).to_string(), "entity not found");
    }
}
