//! When a service is ready: its own port, an answer, a command or a line of its log is asked for until it is.

use std::{process::Stdio, time::Duration};

use regex::bytes::Regex;
use tokio::time::sleep;

use crate::experiment::{
    lab::{
        connection, entry,
        error::LabError,
        logs::Watcher,
        place::Home,
        words::{Request, Words},
    },
    model::{Ready, ReadyCheck},
};

/// How long until it is asked again.
const AGAIN: Duration = Duration::from_millis(20);

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Readiness {
    check: Check,
    /// After this at the latest.
    pub(super) within: Duration,
}

#[derive(Clone, Debug)]
enum Check {
    Tcp { host: Option<String>, port: u16 },
    Http(Request),
    Command(Vec<String>),
    Log(Regex),
}

impl Readiness {
    /// With the service's words filled in.
    pub(super) fn new(ready: &Ready, words: Words<'_>) -> Result<Self, LabError> {
        let check = match &ready.check {
            ReadyCheck::Tcp(text) => tcp(&words.text(text)?).map_err(|why| LabError::Service {
                service: words.service.unwrap_or_default().into(),
                why,
                output: Vec::new(),
                log: "ready".into(),
            })?,
            ReadyCheck::Http(request) => Check::Http(words.request(request)?),
            ReadyCheck::Command(line) => Check::Command(words.command(line)?),
            ReadyCheck::Log(line) => Check::Log(line.clone()),
        };
        Ok(Self { check, within: ready.within })
    }

    /// Returns when the service is ready. To be called before it starts; what is said then is not overheard.
    pub(super) fn wait(&self, home: Home) -> impl Future<Output = ()> + Send + use<> {
        let (check, mut log) = (self.check.clone(), Watcher::new(&home.log));
        async move {
            while !check.holds(&home, &mut log).await {
                sleep(AGAIN).await;
            }
        }
    }
}

impl Check {
    async fn holds(&self, home: &Home, log: &mut Watcher) -> bool {
        match self {
            Self::Tcp { host, port } => {
                let own = home.address.to_string();
                let host = host.as_deref().unwrap_or(&own);
                connection::connect(&home.namespaces, host, *port).await.is_ok()
            }
            Self::Http(request) => {
                connection::status(&home.namespaces, request).await.is_ok_and(|status| status < 400)
            }
            Self::Command(words) => entry::run(words, home.beside(), Stdio::null).await.is_ok(),
            Self::Log(line) => log.look(line).unwrap_or(false),
        }
    }
}

/// `6379` is a port of the service's own, `web:80` any.
fn tcp(text: &str) -> Result<Check, String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (Some(host.trim_matches(['[', ']']).to_owned()), port),
        None => (None, text),
    };
    match port.trim().parse() {
        Ok(port) if port > 0 && host.as_deref() != Some("") => Ok(Check::Tcp { host, port }),
        _ => Err(format!(
            "is ready when `tcp: {text}` accepts a connection, which is neither PORT nor HOST:PORT"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match tcp(text) {
            Ok(Check::Tcp { host, port }) => format!("{host:?} {port}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_port_and_a_host_with_a_port() {
        assert_eq!(read("6379"), "None 6379");
        assert_eq!(read("web:80"), "Some(\"web\") 80");
        assert_eq!(read("[::1]:80"), "Some(\"::1\") 80");
        for wrong in ["", "0", "web", ":80", "web:", "70000"] {
            assert!(tcp(wrong).is_err(), "{wrong}");
        }
    }
}
