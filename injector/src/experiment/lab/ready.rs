//! When a service is ready: its own port, an answer, a command or a line of its log is asked for until it is.

use std::time::Duration;

use regex::bytes::Regex;
use tokio::time::{Instant, sleep, timeout};

use crate::experiment::{
    answer::Ending,
    command,
    failure::Failure,
    http::{Client, Request},
    lab::{error::LabError, home::Home, logs::Watcher, words::Words},
    model::{Ready, ReadyCheck},
    namespaces::{Namespaces, Place, host_and_port},
};

/// How long until it is asked again.
const AGAIN: Duration = Duration::from_millis(20);
/// Who does not answer for so long is asked again.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Readiness {
    check: Check,
    /// After this at the latest.
    pub(super) within: Duration,
}

#[derive(Clone, Debug)]
enum Check {
    /// Without a host, the service's own address.
    Tcp(Option<String>, u16),
    Http(Box<Request>),
    Command(Vec<String>),
    Log(Regex),
}

impl Readiness {
    /// With the service's words filled in.
    pub(super) fn new(ready: &Ready, words: Words<'_>) -> Result<Self, LabError> {
        let check = match &ready.check {
            ReadyCheck::Tcp(text) => tcp(&words.text(text)?).map_err(|failure| words.wrong(failure))?,
            ReadyCheck::Http(request) => Check::Http(Box::new(words.request(request)?)),
            ReadyCheck::Command(line) => Check::Command(words.command(line)?),
            ReadyCheck::Log(line) => Check::Log(line.clone()),
        };
        Ok(Self { check, within: ready.within })
    }

    /// Returns when the service is ready, or says why it is not in time. To be called before it starts: its first line may
    /// be the one.
    pub(super) fn wait(&self, home: &Home) -> impl Future<Output = Result<(), String>> + Send + use<> {
        let (this, mut log) = (self.clone(), Watcher::new(&home.log));
        let own = home.address.to_string();
        let namespaces = Namespaces { folder: home.folder.clone(), ..home.namespaces.clone() };
        async move {
            let end = Instant::now() + this.within;
            let place = namespaces.enter().map_err(|error| format!("{error}; {}", error.hint()))?;
            let mut last = None;
            loop {
                let left = end.saturating_duration_since(Instant::now());
                // A command may take its time.
                let patience =
                    if matches!(this.check, Check::Command(_)) { left } else { left.min(PATIENCE) };
                match timeout(patience, this.check.ask(&place, &own, &mut log)).await {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(failure)) => last = Some(failure),
                    // Cut off by the end, it says nothing.
                    Err(_) if patience == PATIENCE => last = Some(Failure::Timeout),
                    Err(_) => {}
                }
                if Instant::now() >= end {
                    return Err(last.unwrap_or(Failure::Timeout).to_string());
                }
                sleep(AGAIN).await;
            }
        }
    }
}

impl Check {
    async fn ask(&self, place: &Place, own: &str, log: &mut Watcher) -> Result<(), Failure> {
        match self {
            Self::Tcp(host, port) => place.connect(host.as_deref().unwrap_or(own), *port).await.map(drop),
            Self::Http(request) => {
                match Client::new(place.clone(), 0).ask(Request::clone(request)).await?.ending {
                    Ending::Http(status) if status >= 400 => Err(Failure::Ending(Ending::Http(status))),
                    _ => Ok(()),
                }
            }
            Self::Command(words) => match command::run(place, words).await?.ending {
                Ending::Exit(0) => Ok(()),
                other => Err(Failure::Ending(other)),
            },
            Self::Log(line) if log.look(line)? => Ok(()),
            Self::Log(_) => Err(Failure::Absent("line")),
        }
    }
}

/// `6379` is a port of the service's own, `web:80` any.
fn tcp(text: &str) -> Result<Check, Failure> {
    let text = text.trim();
    let check = match text.parse() {
        Ok(port) => Check::Tcp(None, port),
        Err(_) => host_and_port(text).map(|(host, port)| Check::Tcp(Some(host.to_owned()), port))?,
    };
    match check {
        Check::Tcp(_, 0) => Err(Failure::Malformed { text: text.to_owned(), what: "port" }),
        check => Ok(check),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match tcp(text) {
            Ok(Check::Tcp(host, port)) => format!("{host:?} {port}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_port_and_a_host_with_a_port() {
        assert_eq!(read(" 6379"), "None 6379");
        assert_eq!(read("web:80"), "Some(\"web\") 80");
        assert_eq!(read("[::1]:80"), "Some(\"[::1]\") 80");
        for wrong in ["", "0", "web", ":80", "web:", "web:0", "70000"] {
            assert!(tcp(wrong).is_err(), "{wrong}");
        }
    }
}
